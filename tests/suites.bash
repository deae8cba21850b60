# The suites that ./test runs, a function each: each prints what its tools print and ends with "N passed, N failed".
# Sourced by ../test, in $root. Fast ones first.
# SPDX-License-Identifier: MIT

jobs=$(nproc)

# configure DIR FLAGS...: once; ninja reconfigures by itself afterwards.
configure() {
    local dir=$1
    shift
    [ -e "$dir/build.ninja" ] || cmake -S . -B "$dir" -G Ninja "$@"
}

# Sum the closing lines of all test programs that ctest ran in DIR; a program that died counts as one failure.
ctest_suite() {
    local dir=$1 status=0
    shift
    rm -f "$dir/Testing/Temporary/LastTest.log"
    (cd "$dir" && ctest -j"$jobs" --output-on-failure --no-tests=error "$@") || status=$?
    awk -v status=$status '
        /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
        /^Test Failed\.$/ { dead++ }
        /^Test Passed\.$/ { programs++ }
        END {
            if (failed == 0 && (dead > 0 || status != 0)) failed = dead > 0 ? dead : 1
            if (passed == 0 && failed == 0) failed = 1
            printf "%d passed, %d failed\n", passed, failed
        }' "$dir/Testing/Temporary/LastTest.log"
}

suite_house() {
    local passed=0 failed=0 check
    for check in tools/check-layers tools/check-style; do
        if "$check"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    done
    echo "$passed passed, $failed failed"
}

suite_build() {
    configure build-test -DMW_TESTS=ON -DMW_WERROR=ON && ninja -C build-test && echo "1 passed, 0 failed"
}

suite_unit() { ctest_suite build-test; }

suite_client() { tests/client/run build-test; }

suite_scenario() { tests/scenario/run build-test; }

suite_interop() { tests/interop/run build-test; }

suite_browser() { tests/browser/run build-test; }

# One percent of what each ./soak does; the same seed each time.
suite_soak() {
    local passed=0 failed=0 name
    for name in "churn 6" "logins 3"; do
        # shellcheck disable=SC2086  # a name and its seconds
        if MW_BUILD=build-test ./soak $name 1; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    done
    echo "$passed passed, $failed failed"
}

# What analyzers say without running anything; style and layers are the house's.
# Not among all: it takes a minute and a half, and what it finds depends on the analyzers' versions. ./test lint
suite_lint() { tools/lint shell cppcheck analyzer tidy; }

suite_sanitized_build() {
    configure build-asan -DMW_TESTS=ON -DMW_FUZZ=ON -DMW_WERROR=ON -DMW_SANITIZE=address,undefined \
        -DCMAKE_C_COMPILER=clang && ninja -C build-asan && echo "1 passed, 0 failed"
}

suite_sanitized() { ctest_suite build-asan; }

# The core for another processor, its tests in an emulator.
suite_aarch64() {
    configure build-aarch64 -DMW_CORE_ONLY=ON -DMW_TESTS=ON -DMW_WERROR=ON \
        -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake && ninja -C build-aarch64 && ctest_suite build-aarch64
}

# valgrind must know our stacks: the tests that switch most, without a word of complaint.
suite_valgrind() {
    local programs program results
    for program in build-test/test/test-coroutine-* build-test/test/test-tasklet-* build-test/test/test-scheduler-*; do
        case $program in *model* | *interleaving* | *conservation*) continue ;; esac # millions of steps: others have them
        programs="${programs-}$program "
    done
    results=$(printf '%s' "$programs" | xargs -d ' ' -P "$jobs" -I{} sh -c '
        if valgrind -q --error-exitcode=9 --leak-check=full {} >/dev/null 2>&1; then echo "ok   {}"
        else echo "repeat: valgrind -q --leak-check=full {}"; fi')
    echo "$results"
    echo "$(grep -c '^ok' <<<"$results") passed, $(grep -vc '^ok' <<<"$results") failed"
}

# What several threads share, under ThreadSanitizer: only the programs of these rooms are built.
suite_threads() {
    local source room targets=""
    for source in tests/{coroutine,tasklet,scheduler,runtime}/*_test.c tests/edge/{move,together}_test.c; do
        room=$(basename "$(dirname "$source")")
        targets="$targets test-$room-$(basename "$source" .c)"
    done
    # shellcheck disable=SC2086
    configure build-tsan -DMW_TESTS=ON -DMW_WERROR=ON -DMW_SANITIZE=thread -DCMAKE_C_COMPILER=clang &&
        ninja -C build-tsan $targets && ctest_suite build-tsan -R '^(coroutine|tasklet|scheduler|runtime)/|^edge/(move|together)_test'
}

# The server with several workers under ThreadSanitizer; its first complaint ends the server, and that the scenario.
suite_server_threads() {
    configure build-tsan -DMW_TESTS=ON -DMW_WERROR=ON -DMW_SANITIZE=thread -DCMAKE_C_COMPILER=clang &&
        ninja -C build-tsan meshwork && TSAN_OPTIONS=halt_on_error=1 tests/scenario/run build-tsan workers_test users_on_workers_test
}

# Twelve seconds for each codec's fuzz target (F1, F3, F4, F5, F7 of the promises), five for the others; as many at
# once as there are cores. What they find stays in build-asan/fuzz/found.
fuzz_longer="http url handshake frame json"

suite_fuzz() {
    local passed=0 failed=0 running=0 name seconds source logs
    logs=$(mktemp -d)
    for source in fuzzers/*_fuzz.c; do
        name=$(basename "$source" _fuzz.c)
        case " $fuzz_longer " in
        *" $name "*) seconds=12 ;;
        *) seconds=5 ;;
        esac
        if [ "$running" -ge "$jobs" ]; then
            wait -n || true
            running=$((running - 1))
        fi
        { ./fuzz "$name" "$seconds" >"$logs/$name" 2>&1 && touch "$logs/$name.ok"; } &
        running=$((running + 1))
    done
    wait
    for source in fuzzers/*_fuzz.c; do
        name=$(basename "$source" _fuzz.c)
        if [ -e "$logs/$name.ok" ]; then
            passed=$((passed + 1))
            echo "ok   $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$name") inputs"
        else
            failed=$((failed + 1))
            echo "FAIL $name; repeat: ./fuzz $name"
            tail -n 40 "$logs/$name"
        fi
    done
    rm -rf "$logs"
    echo "$passed passed, $failed failed"
}

# shellcheck disable=SC2034  # read by ../test
all_suites="house build unit client scenario interop browser soak sanitized_build sanitized threads server_threads aarch64 valgrind fuzz"
