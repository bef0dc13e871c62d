// SPDX-License-Identifier: BSD-3-Clause
//
// connect-node, unmodified: its three transports over the unix socket and TLS.
"use strict";
const { at, assert, packages, registry, identity, largeConfig, net, test, finish } = require("./harness.cjs");
const { Code, ConnectError, createClient } = packages("@connectrpc/connect");
const { createConnectTransport, createGrpcTransport } = packages("@connectrpc/connect-node");

const service = (name) => registry.getService(`sluice.v1.${name}Service`);

const overUnix = (httpVersion) => ({
  baseUrl: "http://localhost",
  nodeOptions: httpVersion === "1.1" ? { socketPath: at.socket } : { createConnection: () => net.connect(at.socket) },
});
const overTls = (name) => ({ baseUrl: `https://${at.tls}`, nodeOptions: identity(name) });

const makers = {
  "Connect, HTTP/1.1, binary": (to) => createConnectTransport({ httpVersion: "1.1", useBinaryFormat: true, ...to("1.1") }),
  "Connect, HTTP/1.1, JSON": (to) => createConnectTransport({ httpVersion: "1.1", useBinaryFormat: false, ...to("1.1") }),
  "Connect, HTTP/2, JSON": (to) => createConnectTransport({ httpVersion: "2", useBinaryFormat: false, ...to("2") }),
  "gRPC, binary": (to) => createGrpcTransport({ httpVersion: "2", useBinaryFormat: true, ...to("2") }),
  "gRPC, JSON": (to) => createGrpcTransport({ httpVersion: "2", useBinaryFormat: false, ...to("2") }),
};

async function code(promise) {
  try {
    await promise;
  } catch (error) {
    return Code[ConnectError.from(error).code];
  }
  return "none";
}

async function take(stream, n) {
  const taken = [];
  for await (const message of stream) {
    taken.push(message);
    if (taken.length === n) break;
  }
  return taken;
}

async function all(what, transport) {
  const client = (name) => createClient(service(name), transport);
  const routes = client("Route");
  const stats = client("Stats");

  await test(`${what}: a call`, async () => {
    const { workers } = await client("Worker").listWorkers({});
    assert.deepEqual(workers.map((w) => w.state), ["running", "running"]);
  });
  await test(`${what}: a refusal has its code and sentence`, async () => {
    const error = await routes.getRoute({ name: "nowhere" }).catch((e) => e);
    assert.equal(Code[error.code], "NotFound");
    assert.match(error.rawMessage, /nowhere/);
  });
  await test(`${what}: a refusal's text that is not ASCII`, async () => {
    const error = await routes.getRoute({ name: "ü%x" }).catch((e) => e);
    assert.match(error.rawMessage, /ü%x/);
  });
  await test(`${what}: a stream, left by its client`, async () => {
    const [first, second] = await take(stats.watchStats({ intervalMs: 100, onlyChanged: true }), 2);
    assert.equal(first.complete, true);
    assert.equal(first.stats.virtualServers.length, at.virtualServers);
    assert.equal(second.complete, false);
    assert.ok(second.stats.virtualServers.length <= at.virtualServers);
  });
  await test(`${what}: a stream, cancelled`, async () => {
    const stop = new AbortController();
    const reading = take(stats.watchStats({ intervalMs: 100 }, { signal: stop.signal }), 1000);
    setTimeout(() => stop.abort(), 250);
    assert.equal(await code(reading), "Canceled");
  });
  await test(`${what}: a stream's deadline`, async () => {
    const began = Date.now();
    const reading = take(stats.watchStats({ intervalMs: 100 }, { timeoutMs: 300 }), 1000);
    assert.equal(await code(reading), "DeadlineExceeded");
    assert.ok(Date.now() - began < 3000);
  });
  await test(`${what}: a call's deadline`, async () => {
    const calling = client("Worker").profileWorker({ optionalId: { case: "id", value: 0 }, milliseconds: 4000 }, { timeoutMs: 200 });
    assert.equal(await code(calling), "DeadlineExceeded");
  });
  await test(`${what}: a stream that is refused`, async () => {
    assert.equal(await code(take(stats.watchStats({ intervalMs: 5 }), 1)), "InvalidArgument");
  });
  await test(`${what}: 3 MB there`, async () => {
    const config = largeConfig(3e6);
    const applied = client("Config").applyConfig({ config, validateOnly: true }, { timeoutMs: 30000 });
    // More than the appliance of the test has room for: it was read to its end.
    assert.match((await applied.catch((e) => e)).rawMessage ?? "", /backends/);
  });
  await test(`${what}: 300 calls at a time`, async () => {
    const calls = Array.from({ length: 300 }, () => client("Worker").listWorkers({}));
    assert.equal((await Promise.all(calls)).length, 300);
  });
}

async function roles() {
  const as = (name) => createConnectTransport({ httpVersion: "2", ...overTls(name) });
  const remove = { name: "nowhere" };

  await test("TLS: a viewer reads, and is told what it lacks", async () => {
    const routes = createClient(service("Route"), as("viewer"));
    assert.ok((await routes.listRoutes({})).routes.length > 0);
    const error = await routes.deleteRoute(remove).catch((e) => e);
    assert.equal(Code[error.code], "PermissionDenied");
    assert.match(error.rawMessage, /DeleteRoute needs the role operator/);
  });
  await test("TLS: an operator changes", async () => {
    const routes = createClient(service("Route"), as("operator"));
    assert.equal(await code(routes.deleteRoute(remove)), "NotFound");
  });
  await test("TLS: a stranger with a good certificate may nothing", async () => {
    const routes = createClient(service("Route"), as("stranger"));
    const error = await routes.listRoutes({}).catch((e) => e);
    assert.equal(Code[error.code], "PermissionDenied");
    assert.match(error.rawMessage, /needs the role viewer/);
  });
  await test("TLS: a certificate of another authority", async () => {
    const routes = createClient(service("Route"), as("impostor"));
    assert.notEqual(await code(routes.listRoutes({})), "none");
  });
  await test("TLS: no certificate", async () => {
    const { ca } = identity("admin");
    const transport = createConnectTransport({ httpVersion: "1.1", baseUrl: `https://${at.tls}`, nodeOptions: { ca } });
    assert.notEqual(await code(createClient(service("Route"), transport).listRoutes({})), "none");
  });
}

async function events() {
  const client = createClient(service("Event"), makers["gRPC, binary"](overUnix));
  const routes = createClient(service("Route"), makers["gRPC, binary"](overUnix));
  const config = createClient(service("Config"), makers["gRPC, binary"](overUnix));
  let token;

  await test("events: a bookmark at once, then a revision", async () => {
    const seen = [];
    for await (const { event } of client.watchEvents({})) {
      seen.push(event.type);
      token = event.resumeToken;
      if (seen.length === 1)
        await routes.createRoute({ route: { name: "of-events", prefix: "10.99.0.0/16", blackhole: true } });
      else break;
    }
    assert.deepEqual(seen, [1, 4]);
  });
  await test("events: what happened meanwhile, by the token", async () => {
    await routes.deleteRoute({ name: "of-events" });
    const { revision } = await config.getConfig({});
    const seen = await take(client.watchEvents({ resumeToken: token }), 2);
    assert.deepEqual(seen.map(({ event }) => event.type).sort(), [1, 4]);
    assert.equal(seen.find(({ event }) => event.type === 4).event.revision.revision, revision);
  });
  await test("events: a token of another life says that events were lost", async () => {
    const [{ event }] = await take(client.watchEvents({ resumeToken: "1:1" }), 1);
    assert.equal(event.type, 2);
  });
  await test("events: tokens that are none", async () => {
    for (const resumeToken of ["x", "1:1x", token.replace(/:.*/, ":999999")])
      assert.equal(await code(take(client.watchEvents({ resumeToken }), 1)), "InvalidArgument");
  });
  await test("events: bookmarks", async () => {
    const seen = await take(client.watchEvents({ bookmarkIntervalMs: 1000 }), 2);
    assert.deepEqual(seen.map(({ event }) => event.type), [1, 1]);
  });
}

(async () => {
  for (const [what, make] of Object.entries(makers)) {
    await all(`${what}, unix`, make(overUnix));
    await all(`${what}, TLS`, make(() => overTls("admin")));
  }
  await roles();
  await events();
  finish();
})();
