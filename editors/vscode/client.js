// A language server that runs beside the editor, spoken to in JSON-RPC 2.0 on its standard input and
// output. There are packages for this; without one, the extension runs from its folder as it is.
"use strict";

const { spawn } = require("child_process");

class Client {
  // `notified(method, params)` is called for what the server says, `ended(why)` when it is gone
  // without having been told to leave.
  constructor(command, args, notified, ended) {
    this.notified = notified;
    this.open = new Map();
    this.requests = 0;
    this.received = Buffer.alloc(0);
    this.leaving = false;
    this.gone = undefined;
    this.server = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.server.stdout.on("data", (data) => this.receive(data));
    // What is written to a server that is gone is lost; `end` tells.
    this.server.stdin.on("error", () => {});
    const end = (why) => {
      this.gone = new Error(why);
      for (const { reject } of this.open.values()) reject(this.gone);
      this.open.clear();
      if (!this.leaving) ended(why);
      this.leaving = true;
    };
    this.server.on("error", (error) => end(error.message));
    this.server.on("exit", (code) => end(`it ended with status ${code}`));
  }

  send(message) {
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
    this.server.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    this.server.stdin.write(body);
  }

  notify(method, params) {
    this.send({ method, params });
  }

  // A promise of the result.
  request(method, params) {
    if (this.gone) return Promise.reject(this.gone);
    const id = ++this.requests;
    return new Promise((resolve, reject) => {
      this.open.set(id, { resolve, reject });
      this.send({ id, method, params });
    });
  }

  async leave() {
    this.leaving = true;
    await this.request("shutdown").catch(() => {});
    this.notify("exit");
  }

  // Messages come in pieces, and several at once.
  receive(data) {
    this.received = Buffer.concat([this.received, data]);
    for (;;) {
      const header = this.received.indexOf("\r\n\r\n");
      if (header < 0) return;
      const length = /Content-Length: *(\d+)/i.exec(this.received.toString("ascii", 0, header));
      const start = header + 4;
      const end = start + Number(length[1]);
      if (this.received.length < end) return;
      const message = JSON.parse(this.received.toString("utf8", start, end));
      this.received = this.received.subarray(end);
      this.handle(message);
    }
  }

  handle({ id, method, params, result, error }) {
    if (method !== undefined) {
      this.notified(method, params);
      return;
    }
    const request = this.open.get(id);
    this.open.delete(id);
    if (error) request?.reject(new Error(error.message));
    else request?.resolve(result);
  }
}

module.exports = { Client };
