// SPDX-License-Identifier: BSD-3-Clause
//
// Node's own HTTP/2 client, used as nobody should.
"use strict";
const { at, assert, http2, net, test, finish } = require("./harness.cjs");

const connect = () => {
  const session = http2.connect("http://localhost", { createConnection: () => net.connect(at.socket) });
  session.on("error", () => {});
  return session;
};
const closed = (what) => new Promise((resolve) => what.once("close", resolve));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const fields = (type, more = {}) => ({
  ":method": "POST",
  ":path": "/sluice.v1.WorkerService/ListWorkers",
  "content-type": type,
  ...more,
});

// Status and body of a request that sends these bytes.
function ask(session, head, body) {
  return new Promise((resolve, reject) => {
    const stream = session.request(head);
    let status, trailers = {}, text = "";
    stream.on("response", (h) => ((status = h[":status"]), (trailers = h)));
    stream.on("trailers", (t) => (trailers = t));
    stream.on("data", (d) => (text += d));
    stream.on("end", () => resolve({ status, text, trailers }));
    stream.on("error", reject);
    stream.end(body);
  });
}

(async () => {
  await test("HTTP/2: streams opened and reset at once, thousands of them", async () => {
    const session = connect();
    for (let i = 0; i < 5000 && !session.destroyed && !session.closed; i++) {
      const stream = session.request(fields("application/json"));
      stream.on("error", () => {});
      stream.close(http2.constants.NGHTTP2_CANCEL);
      if (i % 50 === 0) await sleep(1);
    }
    session.destroy();
  });
  await test("HTTP/2: more streams than are allowed wait for their turn", async () => {
    const session = connect();
    const json = fields("application/json");
    const answers = await Promise.all(Array.from({ length: 500 }, () => ask(session, json, "{}")));
    assert.ok(answers.every((a) => a.status === 200));
    session.destroy();
  });
  await test("HTTP/2: a header that is too large", async () => {
    const session = connect();
    const answer = await ask(session, fields("application/json", { large: "x".repeat(20000) }), "{}").catch((e) => e);
    assert.notEqual(answer.status, 200);
    session.destroy();
  });
  const grpc = async (bytes, more) => {
    const session = connect();
    const answer = await ask(session, fields("application/grpc", more), Buffer.from(bytes));
    session.destroy();
    return Number(answer.trailers["grpc-status"]);
  };
  await test("gRPC: envelopes that are none", async () => {
    assert.equal(await grpc([]), 3);
    assert.equal(await grpc([0, 0, 0]), 3);
    assert.equal(await grpc([0, 0, 0, 0, 9, 1]), 3);
    assert.equal(await grpc([1, 0, 0, 0, 0]), 13);
    assert.equal(await grpc([8, 0, 0, 0, 0]), 3);
    assert.equal(await grpc([0, 0xff, 0xff, 0xff, 0xff]), 8);
    assert.equal(await grpc([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 3);
  });
  await test("gRPC: messages that are none", async () => {
    assert.equal(await grpc([0, 0, 0, 0, 1, 0xff]), 3);
    assert.equal(await grpc([0, 0, 0, 0, 2, 0x78, 0x01]), 3); // an unknown field
  });
  await test("gRPC: deadlines that are none", async () => {
    for (const timeout of ["", "1", "S", "-1S", "999999999S", "1x"])
      assert.equal(await grpc([0, 0, 0, 0, 0], { "grpc-timeout": timeout }), 3, timeout);
    assert.equal(await grpc([0, 0, 0, 0, 0], { "grpc-timeout": "10S" }), 0);
  });
  await test("gRPC: a deadline that has passed when it arrives", async () => {
    assert.ok([0, 4].includes(await grpc([0, 0, 0, 0, 0], { "grpc-timeout": "1n" })));
  });
  await test("HTTP/2: a client that leaves in the middle", async () => {
    const session = connect();
    const stream = session.request(fields("application/grpc", { ":path": "/sluice.v1.StatsService/WatchStats" }));
    stream.on("error", () => {});
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
    await new Promise((resolve) => stream.once("data", resolve));
    session.destroy();
    await closed(session);
  });
  finish();
})();
