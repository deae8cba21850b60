// A peer of benches/web: Socket.IO, by WebSocket alone. What comes as the event "message" goes back as one. usage: node peer-socketio.mjs MODULES
// SPDX-License-Identifier: MIT
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(process.argv[2] + "/"); // where socket.io is installed
const { Server } = require("socket.io");
const http = createServer();
const io = new Server(http, { transports: ["websocket"], maxHttpBufferSize: 16 * 1024 * 1024 });

io.on("connection", (socket) => socket.on("message", (data) => socket.emit("message", data)));
http.listen(0, "127.0.0.1", () => console.log(`peer at http://localhost:${http.address().port}/`));
