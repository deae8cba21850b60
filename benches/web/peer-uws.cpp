// A peer of benches/web: uWebSockets, as its examples use it. Echo at /, what one says to all at /all, files of 1 and 10 KiB from memory. It reads nothing from the disk.
// Compiled by run.py against the sources that --uws names.
// SPDX-License-Identifier: MIT
#include <csignal>
#include <cstdio>
#include <string>

#include "App.h"

struct nothing {};

static std::string text(std::size_t count)
{
    std::string made;

    for (std::size_t i = 0; i < count; i++)
        made += static_cast<char>('a' + i % 26);
    return made;
}

int main()
{
    const std::string small = text(1024), large = text(10240);
    uWS::App app;

    std::signal(SIGPIPE, SIG_IGN); // the load hangs up in the middle of a large message, and writev has no MSG_NOSIGNAL
    app.ws<nothing>("/", {.compression = uWS::DISABLED,
                          .maxPayloadLength = 16 * 1024 * 1024,
                          .idleTimeout = 120,
                          .maxBackpressure = 64 * 1024 * 1024,
                          .message = [](auto *ws, std::string_view message, uWS::OpCode code) { ws->send(message, code); }});
    app.ws<nothing>("/all", {.compression = uWS::DISABLED,
                             .maxPayloadLength = 16 * 1024 * 1024,
                             .idleTimeout = 120,
                             .open = [](auto *ws) { ws->subscribe("all"); },
                             .message = [&app](auto *, std::string_view message, uWS::OpCode code) { app.publish("all", message, code); }});
    app.get("/css/1k.css", [&](auto *res, auto *) { res->writeHeader("Content-Type", "text/css")->end(small); });
    app.get("/css/10k.css", [&](auto *res, auto *) { res->writeHeader("Content-Type", "text/css")->end(large); });
    app.listen("127.0.0.1", 0, [](us_listen_socket_t *socket) {
        if (!socket)
            return;
        std::printf("peer at http://localhost:%d/\n", us_socket_local_port(0, reinterpret_cast<us_socket_t *>(socket)));
        std::fflush(stdout);
    });
    app.run();
    return 1;
}
