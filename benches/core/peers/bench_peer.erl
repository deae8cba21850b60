%% The questions of benches/core, asked of Erlang: processes and their mailboxes. One scheduler but for the figures that end in -2.
%% usage: erl -noshell -run bench_peer main FIGURE... (run.py gives +S). SPDX-License-Identifier: MIT
-module(bench_peer).
-export([main/1]).

main(Figures) ->
    lists:foreach(fun(Name) -> show(Name) end, Figures),
    halt(0).

show(Name) ->
    Runs = case Name of "skynet" -> 1; "idle" -> 1; _ -> 3 end,
    Values = lists:sort([measure(Name) || _ <- lists:seq(1, Runs)]),
    case lists:nth((Runs + 1) div 2, Values) of
        unknown -> ok; %% what a peer does not know it does not print
        Value -> io:format("~s\t~.2f~n", [Name, float(Value)])
    end.

timed(N, F) ->
    Start = erlang:monotonic_time(nanosecond),
    F(),
    (erlang:monotonic_time(nanosecond) - Start) / N.

measure("switch") ->
    N = 400000,
    timed(N, fun() ->
        Self = self(),
        [spawn(fun() -> yields(N div 2), Self ! done end) || _ <- [1, 2]],
        wait(2)
    end);
measure("ping-pong") -> ring(2);
measure("pair-2") -> ring(2);
measure("ring") -> ring(503);
measure("pipeline") -> pipeline();
measure("pipeline-2") -> pipeline();
measure("fan-in") -> fan_in();
measure("fan-in-2") -> fan_in();
measure("fan-out") ->
    N = 200000,
    Self = self(),
    timed(N, fun() ->
        Sinks = [spawn(fun() -> swallow(N div 100, Self) end) || _ <- lists:seq(1, 100)],
        spawn(fun() -> [[P ! 1 || P <- Sinks] || _ <- lists:seq(1, N div 100)] end),
        wait(100)
    end);
measure("make") ->
    N = 100000,
    Self = self(),
    timed(N, fun() -> [begin spawn(fun() -> Self ! done end), wait(1) end || _ <- lists:seq(1, N)] end);
measure("idle") ->
    N = 100000,
    Before = erlang:memory(total),
    Processes = [spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, N)],
    After = erlang:memory(total),
    [P ! stop || P <- Processes],
    (After - Before) / N;
measure("skynet") ->
    Self = self(),
    timed(1000000, fun() -> spawn(fun() -> node(Self, 0, 1000000) end), receive {sum, 499999500000} -> ok end end);
measure(_) -> unknown.

yields(0) -> ok;
yields(N) -> erlang:yield(), yields(N - 1).

wait(0) -> ok;
wait(N) -> receive done -> wait(N - 1) end.

ring(Count) ->
    N = 200000,
    Self = self(),
    Last = spawn(fun() -> receive {next, First} -> hop(First, Self) end end),
    First = lists:foldl(fun(_, Next) -> spawn(fun() -> hop(Next, Self) end) end, Last, lists:seq(2, Count)),
    Last ! {next, First},
    Ns = timed(N, fun() -> First ! N, wait(1) end),
    First ! stop,
    Ns.

hop(Next, Done) ->
    receive
        0 -> Done ! done, hop(Next, Done);
        stop -> Next ! stop;
        Left -> Next ! Left - 1, hop(Next, Done)
    end.

swallow(0, Done) -> Done ! done;
swallow(N, Done) -> receive _ -> swallow(N - 1, Done) end.

forward(0, _) -> ok;
forward(N, To) -> receive X -> To ! X, forward(N - 1, To) end.

pipeline() ->
    N = 200000,
    Self = self(),
    timed(N, fun() ->
        C = spawn(fun() -> swallow(N, Self) end),
        B = spawn(fun() -> forward(N, C) end),
        spawn(fun() -> [B ! 1 || _ <- lists:seq(1, N)] end),
        wait(1)
    end).

fan_in() ->
    N = 200000,
    Self = self(),
    timed(N, fun() ->
        Sink = spawn(fun() -> swallow(N, Self) end),
        [spawn(fun() -> [Sink ! 1 || _ <- lists:seq(1, N div 100)] end) || _ <- lists:seq(1, 100)],
        wait(1)
    end).

node(To, Number, 1) -> To ! {sum, Number};
node(To, Number, Size) ->
    Self = self(),
    Part = Size div 10,
    [spawn(fun() -> node(Self, Number + I * Part, Part) end) || I <- lists:seq(0, 9)],
    To ! {sum, lists:sum([receive {sum, X} -> X end || _ <- lists:seq(1, 10)])}.
