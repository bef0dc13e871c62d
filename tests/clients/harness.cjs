// SPDX-License-Identifier: BSD-3-Clause
//
// What the programs for node share: the clients' packages, our messages from the build's description of the
// API, where the appliance is, and cases that are printed as tests/run reads them.
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const http2 = require("node:http2");
const { createRequire } = require("node:module");
const net = require("node:net");

const at = JSON.parse(process.env.CLIENTS_AT);
const packages = createRequire(`${at.build}/clients/`);

const { fromBinary, createFileRegistry } = packages("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = packages("@bufbuild/protobuf/wkt");
const described = fs.readFileSync(`${at.build}/gen/api.binpb`);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, described));

const pem = (name) => fs.readFileSync(`${at.certificates}/${name}.pem`);
// What a TLS client of that name needs.
const identity = (name) => ({ ca: pem("ca"), cert: pem(name), key: fs.readFileSync(`${at.certificates}/${name}.key`) });

let passed = 0;
let failed = 0;

async function test(name, run) {
  try {
    await run();
    passed++;
    console.log(`ok - ${name}`);
  } catch (error) {
    failed++;
    console.log(`not ok - ${name}: ${String(error.stack ?? error).replace(/\s+/g, " ").slice(0, 600)}`);
  }
}

// The last line, and the end whatever is still open.
function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

// A configuration of about `bytes` bytes, all in the names of backends.
function largeConfig(bytes) {
  const name = (i) => `b${String(i).padStart(5, "0")}-${"x".repeat(50)}`;
  const backends = [];
  for (let i = 0; i * 85 < bytes; i++)
    backends.push({ name: name(i), address: `198.51.${100 + (i >> 14)}.${(i >> 6) & 255}`, port: 1000 + (i & 63) });
  return { backendPools: [{ name: "large", backends }] };
}

module.exports = { at, assert, packages, registry, http2, identity, largeConfig, net, test, finish };
