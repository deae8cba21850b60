// The peer of benches/web: npm ws, as its readme says to use it. Echo, at /all what one says to all, or with "meshwork.v1" getAttr of one
// attribute.
// SPDX-License-Identifier: MIT
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(process.argv[2] + "/"); // where ws is installed
const { WebSocketServer } = require("ws");
const attributes = { a: 1, b: 2, c: 3 };
const http = createServer();
const sockets = new WebSocketServer({ server: http, handleProtocols: () => "meshwork.v1" });

sockets.on("connection", (socket, request) => {
  if (request.url === "/all") {
    socket.on("message", (data, isBinary) => {
      for (const other of sockets.clients) other.send(data, { binary: isBinary });
    });
    return;
  }
  if (socket.protocol !== "meshwork.v1") {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    return;
  }
  socket.on("message", (data) => {
    const { id, params } = JSON.parse(data);
    const result = { values: {}, revs: {}, errors: {} };
    for (const name of params) {
      result.values[name] = attributes[name];
      result.revs[name] = 1;
    }
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, result }));
  });
});
http.listen(0, "127.0.0.1", () => console.log(`peer at http://localhost:${http.address().port}/`));
