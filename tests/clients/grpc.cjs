// SPDX-License-Identifier: BSD-3-Clause
//
// grpc-js, unmodified, with the .proto files read by its own loader.
"use strict";
const { at, assert, packages, identity, largeConfig, test, finish } = require("./harness.cjs");
const grpc = packages("@grpc/grpc-js");
const { loadSync } = packages("@grpc/proto-loader");

const options = { includeDirs: [at.proto], keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true };
const files = ["worker", "stats", "route", "config"].map((f) => `sluice/v1/${f}.proto`);
const api = grpc.loadPackageDefinition(loadSync([...files, "grpc/health/v1/health.proto"], options));

function call(client, method, request, settings = {}) {
  return new Promise((resolve, reject) =>
    client[method](request, new grpc.Metadata(), settings, (error, answer) => (error ? reject(error) : resolve(answer))));
}

// Messages until there are n or the stream ends; then the status.
function read(stream, n) {
  return new Promise((resolve) => {
    const messages = [];
    stream.on("data", (m) => messages.push(m) === n && stream.cancel());
    stream.on("error", () => {});
    stream.on("status", (status) => resolve({ messages, code: status.code, details: status.details }));
  });
}

async function all(what, address, credentials) {
  const make = (Service) => new Service(address, credentials);
  const workers = make(api.sluice.v1.WorkerService);
  const routes = make(api.sluice.v1.RouteService);
  const stats = make(api.sluice.v1.StatsService);
  const health = make(api.grpc.health.v1.Health);

  await test(`grpc-js, ${what}: a call`, async () => {
    const answer = await call(workers, "ListWorkers", {});
    assert.deepEqual(answer.workers.map((w) => w.state), ["running", "running"]);
  });
  await test(`grpc-js, ${what}: a refusal`, async () => {
    const error = await call(routes, "GetRoute", { name: "nöwhere%" }).catch((e) => e);
    assert.equal(error.code, grpc.status.NOT_FOUND);
    assert.match(error.details, /nöwhere%/);
  });
  await test(`grpc-js, ${what}: a method that is not there`, async () => {
    const Other = grpc.makeClientConstructor({ Nothing: { ...api.sluice.v1.WorkerService.service.ListWorkers, path: "/sluice.v1.WorkerService/Nothing" } }, "x");
    const error = await call(make(Other), "Nothing", {}).catch((e) => e);
    assert.equal(error.code, grpc.status.UNIMPLEMENTED);
  });
  await test(`grpc-js, ${what}: a stream, cancelled`, async () => {
    const { messages, code } = await read(stats.WatchStats({ interval_ms: 100 }), 3);
    assert.equal(messages.length, 3);
    assert.equal(code, grpc.status.CANCELLED);
  });
  await test(`grpc-js, ${what}: deadlines`, async () => {
    const deadline = () => ({ deadline: Date.now() + 300 });
    const stream = await read(stats.WatchStats({ interval_ms: 100 }, new grpc.Metadata(), deadline()), 1000);
    assert.equal(stream.code, grpc.status.DEADLINE_EXCEEDED);
    const error = await call(workers, "ProfileWorker", { id: 0, milliseconds: 4000 }, deadline()).catch((e) => e);
    assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED);
  });
  await test(`grpc-js, ${what}: health`, async () => {
    assert.equal((await call(health, "Check", { service: "" })).status, "SERVING");
    assert.equal((await call(health, "Check", { service: "sluice.v1.RouteService" })).status, "SERVING");
    const error = await call(health, "Check", { service: "nothing" }).catch((e) => e);
    assert.equal(error.code, grpc.status.NOT_FOUND);
    const watched = await read(health.Watch({ service: "nothing" }), 1);
    assert.equal(watched.messages[0].status, "SERVICE_UNKNOWN");
  });
  await test(`grpc-js, ${what}: a compressed message is refused by name`, async () => {
    const zip = new api.sluice.v1.RouteService(address, credentials, { "grpc.default_compression_algorithm": 2 });
    const error = await call(zip, "GetRoute", { name: "x".repeat(2000) }).catch((e) => e);
    assert.equal(error.code, grpc.status.UNIMPLEMENTED, error.details);
    assert.match(error.details, /identity/);
  });
  await test(`grpc-js, ${what}: 3 MB there`, async () => {
    const from = largeConfig(3e6).backendPools;
    const config = make(api.sluice.v1.ConfigService);
    const error = await call(config, "ApplyConfig", { validate_only: true, config: { backend_pools: from } }).catch((e) => e);
    assert.match(error.details ?? "", /backends/);
  });
  await test(`grpc-js, ${what}: 300 calls at a time`, async () => {
    const calls = Array.from({ length: 300 }, () => call(workers, "ListWorkers", {}));
    assert.equal((await Promise.all(calls)).length, 300);
  });
}

(async () => {
  const { ca, cert, key } = identity("admin");
  await all("unix", `unix:${at.socket}`, grpc.credentials.createInsecure());
  await all("TLS", at.tls, grpc.credentials.createSsl(ca, key, cert));
  finish();
})();
