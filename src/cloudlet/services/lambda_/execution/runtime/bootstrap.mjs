// Runs a Node.js function in its sandbox; it is started before it is known which function that will be.
//
// It imports nothing of Cloudlet. It speaks with Cloudlet over the Unix socket whose descriptor it is told, in frames as
// `cloudlet.services.lambda_.execution.frames` describes them. What the function sees is what AWS's runtime shows it:
// developer guide, "Building Lambda functions with Node.js", "Response streaming".

import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import Module, { createRequire, syncBuiltinESMExports } from "node:module";
import { Socket } from "node:net";
import { dirname, join, resolve } from "node:path";
import { Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { format } from "node:util";

const HEAD_BYTES = 9;
// Of an answer. A larger one is refused: it is enough to know that it is larger.
const MOST_BYTES = 6_291_556;
// Characters of what is printed, and bytes of an answer in pieces, in one frame.
const MOST_PRINTED = 262_144;
const PIECE_BYTES = 1 << 20;
const channel = new Socket({ fd: Number(process.env._CLOUDLET_CHANNEL), readable: true, writable: true });
let requestId = "";

function write(kind, told, payload = Buffer.alloc(0), done = undefined) {
  const head = told === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(told));
  const frame = Buffer.alloc(HEAD_BYTES);
  frame.writeUInt32BE(head.length + payload.length, 0);
  frame.write(kind, 4, "latin1");
  frame.writeUInt32BE(head.length, 5);
  return channel.write(Buffer.concat([frame, head, payload]), done);
}

// -- what is printed

// In one frame, so that its lines stay together, or in several, where it is large.
function print(text, told) {
  for (let begin = 0, end; begin < text.length; begin = end) {
    end = begin + MOST_PRINTED;
    if (end < text.length) end = text.lastIndexOf("\n", end - 1) + 1;
    if (end <= begin) end = begin + MOST_PRINTED;
    write("l", told, Buffer.from(text.slice(begin, end)));
  }
}

const log = (text) => print(text, undefined);
// One event, of however many lines.
const logWhole = (text) => print(text, { whole: true });

function catchOutput() {
  for (const stream of [process.stdout, process.stderr]) {
    stream.write = (chunk, encoding, done) => {
      log(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString());
      const called = typeof encoding === "function" ? encoding : done;
      if (called) process.nextTick(called);
      return true;
    };
  }
  const json = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";
  const order = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
  const least = order.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL ?? (json ? "INFO" : "TRACE"));
  const methods = { trace: "TRACE", debug: "DEBUG", log: "INFO", info: "INFO", warn: "WARN", error: "ERROR" };
  for (const [method, level] of Object.entries(methods)) {
    console[method] = (...values) => {
      if (order.indexOf(level) < least) return;
      const timestamp = new Date().toISOString();
      if (!json) {
        logWhole(`${timestamp}\t${requestId || "undefined"}\t${level}\t${format(...values)}\n`);
        return;
      }
      const line = { timestamp, level, requestId };
      if (values.length === 1 && typeof values[0] !== "string") line.message = values[0];
      else line.message = format(...values);
      const failed = values.find((value) => value instanceof Error);
      if (failed) Object.assign(line, described(failed), { stackTrace: described(failed).trace, trace: undefined });
      logWhole(`${JSON.stringify(line)}\n`);
    };
  }
}

// -- errors

function described(error) {
  if (error instanceof Error) {
    return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? "").split("\n") };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

class RuntimeError extends Error {
  constructor(type, message) {
    super(message);
    this.name = type;
  }
}

// -- finding the function

async function loaded(root, handler) {
  const match = /^((?:.*\/)?)([^/]*?)\.([^/]*)$/.exec(handler);
  if (!match || handler.includes("..")) throw new RuntimeError("Runtime.MalformedHandlerName", "Bad handler");
  const [, folder, file, path] = match;
  const base = resolve(root, folder, file);
  const module = await imported(base, join(folder, file));
  const found = path.split(".").reduce((value, name) => value?.[name], module);
  if (found === undefined) throw new RuntimeError("Runtime.HandlerNotFound", `${handler} is undefined or not exported`);
  if (typeof found !== "function") throw new RuntimeError("Runtime.HandlerNotFound", `${handler} is not a function`);
  return found;
}

function isEsModule(base) {
  for (let folder = dirname(base); ; folder = dirname(folder)) {
    const description = join(folder, "package.json");
    if (existsSync(description)) return JSON.parse(readFileSync(description, "utf8")).type === "module";
    if (folder === dirname(folder)) return false;
  }
}

async function imported(base, name) {
  const require = createRequire(`${base}.js`);
  try {
    if (existsSync(base)) return require(base);
    if (existsSync(`${base}.js`)) {
      return isEsModule(base) ? await import(pathToFileURL(`${base}.js`).href) : require(`${base}.js`);
    }
    if (existsSync(`${base}.mjs`)) return await import(pathToFileURL(`${base}.mjs`).href);
    if (existsSync(`${base}.cjs`)) return require(`${base}.cjs`);
  } catch (error) {
    if (error instanceof SyntaxError) throw Object.assign(error, { name: "Runtime.UserCodeSyntaxError" });
    if (error?.code === "MODULE_NOT_FOUND" || error?.code === "ERR_MODULE_NOT_FOUND") {
      throw Object.assign(error, { name: "Runtime.ImportModuleError", message: `Error: ${error.message}` });
    }
    throw error;
  }
  throw new RuntimeError("Runtime.ImportModuleError", `Error: Cannot find module '${name}'`);
}

// -- AWS's SDK

// CommonJS modules look for what is not in the package where NODE_PATH says, which Node.js has read when it started; ES
// modules do not, but find AWS's SDK on AWS, too.
function findSdk() {
  Module._initPaths();
  if (!existsSync("/var/runtime/node_modules")) return;
  const isMissing = (error, specifier) => error.code === "ERR_MODULE_NOT_FOUND" && /^[@\w]/.test(specifier);
  const parentURL = import.meta.url;
  if (Module.registerHooks) {
    const resolve = (specifier, context, next) => {
      try {
        return next(specifier, context);
      } catch (error) {
        if (isMissing(error, specifier)) return next(specifier, { ...context, parentURL });
        throw error;
      }
    };
    Module.registerHooks({ resolve });
  } else {
    // Before Node.js 22.15, in a thread of its own.
    const source = `const isMissing = ${isMissing}; export const resolve = (specifier, context, next) =>
      next(specifier, context).catch((error) => {
        if (isMissing(error, specifier)) return next(specifier, { ...context, parentURL: "${parentURL}" });
        throw error;
      });`;
    Module.register(`data:text/javascript,${encodeURIComponent(source)}`);
  }
}

// -- answers of custom resources

// They go to a URL in the event. AWS's have no port, so that what answers leaves it out, and takes the one of HTTPS;
// Cloudlet's have one. What is sent there over HTTPS goes to where the event says. Nothing else is touched.
const ANSWERS = "/_aws/cloudformation-response/";
const ORIGIN = /(https?:\/\/[^"\\/]+)\/_aws\/cloudformation-response\//;
// The origins of such URLs, by their host names.
const origins = new Map();

function noteOrigin(payload) {
  if (!payload.includes(ANSWERS)) return;
  const found = ORIGIN.exec(payload.toString());
  if (found) origins.set(new URL(found[1]).hostname, new URL(found[1]));
}

// Return the options and the callback of a request that goes to one of them, undefined for others.
function answering([first, ...others]) {
  if (origins.size === 0) return undefined;
  const options = {};
  if (typeof first === "string" || first instanceof URL) {
    const { hostname, pathname, search } = new URL(first);
    Object.assign(options, { hostname, path: pathname + search });
    first = others.shift();
  }
  if (typeof first === "function") others.unshift(first);
  else Object.assign(options, first);
  const origin = origins.get(options.hostname ?? options.host);
  if (!origin || !options.path?.startsWith(ANSWERS)) return undefined;
  const { protocol, hostname, port } = origin;
  return [{ ...options, protocol, hostname, host: undefined, port, agent: undefined }, ...others];
}

function reachAnswers() {
  const { request } = https;
  https.request = (...given) => {
    const changed = answering(given);
    if (!changed) return request(...given);
    return changed[0].protocol === "https:" ? request(...changed) : http.request(...changed);
  };
  syncBuiltinESMExports();
}

// -- streamed responses

const STREAMS = Symbol.for("aws.lambda.runtime.handler.streaming");
const METADATA = "application/vnd.awslambda.http-integration-response";

globalThis.awslambda = {
  streamifyResponse(handler) {
    handler[STREAMS] = true;
    return handler;
  },
  HttpResponseStream: {
    from(stream, metadata) {
      stream.setContentType(METADATA);
      stream.onBeforeFirstWrite = (send) => {
        send(Buffer.from(JSON.stringify(metadata)));
        send(Buffer.alloc(8));
      };
      return stream;
    },
  },
};

class ResponseStream extends Writable {
  contentType = "application/octet-stream";
  begun = false;

  setContentType(type) {
    this.contentType = type;
  }

  begin() {
    if (this.begun) return;
    this.begun = true;
    write("s", { contentType: this.contentType });
    this.onBeforeFirstWrite?.((part) => write("c", undefined, Buffer.from(part)));
  }

  _write(chunk, encoding, done) {
    this.begin();
    const piece = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk, encoding);
    let begin = 0;
    for (; begin + PIECE_BYTES < piece.length; begin += PIECE_BYTES) {
      write("c", undefined, piece.subarray(begin, begin + PIECE_BYTES));
    }
    write("c", undefined, piece.subarray(begin), done);
  }

  _final(done) {
    this.begin();
    write("z", {}, undefined, done);
  }
}

// -- invocations

function contextOf(told, settle) {
  const deadline = told.deadlineMs;
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    awsRequestId: told.requestId,
    invokedFunctionArn: told.invokedFunctionArn,
    clientContext: told.clientContext ?? undefined,
    identity: told.identity ?? undefined,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
  if (settle) {
    context.done = (error, value) => settle(error, value);
    context.succeed = (value) => settle(null, value);
    context.fail = (error) => settle(error ?? "handled", undefined);
  }
  return context;
}

// Since Node.js 24 there are no callbacks, and what is returned counts, promised or not.
const RETURNS = Number(process.versions.node.split(".")[0]) >= 24;

function called(handler, event, told) {
  return new Promise((resolve, reject) => {
    let settled = false;
    const settle = (error, value) => {
      if (settled) return;
      settled = true;
      if (error !== null && error !== undefined) reject(error);
      else resolve(value);
    };
    const context = contextOf(told, settle);
    // Who calls back is done once nothing is pending any more, unless it says otherwise.
    let answer = null;
    const settleIdle = () => settle(null, answer);
    const callback = (error, value) => {
      answer = value;
      if (error || !context.callbackWaitsForEmptyEventLoop) settle(error, value);
      else whenIdle(settleIdle);
    };
    const returned = handler(event, context, callback);
    if (typeof returned?.then === "function") returned.then((value) => settle(null, value), context.fail);
    else if (RETURNS) settle(null, returned);
    // Who neither promises anything nor calls back is done once nothing is pending, and has answered nothing.
    else whenIdle(settleIdle);
  });
}

let idle = undefined;

function whenIdle(done) {
  idle = done;
  channel.unref();
}

process.on("beforeExit", () => {
  const done = idle;
  idle = undefined;
  channel.ref();
  if (done) done();
});

function serialised(value) {
  try {
    return JSON.stringify(value === undefined ? null : value) ?? "null";
  } catch {
    throw new Error("Unable to stringify response body");
  }
}

async function streamed(handler, event, told) {
  const stream = new ResponseStream();
  const finished = new Promise((resolve, reject) => stream.on("finish", resolve).on("error", reject));
  try {
    const returned = await handler(event, stream, contextOf(told));
    if (returned !== undefined && !stream.writableEnded) stream.end(returned);
    await finished;
  } catch (error) {
    if (!stream.begun) throw error;
    fail(error, "z");
  }
}

function fail(error, kind) {
  const { errorType, errorMessage, trace } = described(error);
  const told = { errorType, errorMessage, trace };
  console.error("Invoke Error", `\t${JSON.stringify({ ...told, stack: trace, trace: undefined })}`);
  const encoded = Buffer.from(JSON.stringify(told));
  if (kind !== "z") write(kind, undefined, encoded.subarray(0, MOST_BYTES + 1));
  else if (encoded.length <= MOST_BYTES) write("z", told);
  else write("z", { errorType: "Function.ResponseSizeTooLarge", errorMessage: "The error is too large" });
}

async function invoke(handler, told, payload) {
  requestId = told.requestId;
  if (told.traceId) process.env._X_AMZN_TRACE_ID = told.traceId;
  else delete process.env._X_AMZN_TRACE_ID;
  try {
    noteOrigin(payload);
    const event = JSON.parse(payload.toString());
    if (handler[STREAMS]) {
      await streamed(handler, event, told);
      return;
    }
    write("r", undefined, Buffer.from(serialised(await called(handler, event, told))).subarray(0, MOST_BYTES + 1));
  } catch (error) {
    fail(error, "e");
  }
}

async function initialise(told) {
  if (told.environment) {
    for (const name of Object.keys(process.env)) delete process.env[name];
    Object.assign(process.env, told.environment);
  } else {
    // A wrapper has exported what it wanted to, perhaps another handler.
    delete process.env._CLOUDLET_CHANNEL;
    told.handler = process.env._HANDLER ?? told.handler;
  }
  process.chdir(told.taskRoot);
  catchOutput();
  reachAnswers();
  findSdk();
  try {
    const handler = await loaded(told.taskRoot, told.handler);
    write("R");
    return handler;
  } catch (error) {
    const { errorType, errorMessage, trace } = described(error);
    console.error("Uncaught Exception", `\t${JSON.stringify({ errorType, errorMessage, stack: trace })}`);
    const encoded = Buffer.from(JSON.stringify({ errorType, errorMessage, trace })).subarray(0, MOST_BYTES + 1);
    write("X", undefined, encoded, () => process.exit(1));
    return undefined;
  }
}

for (const [event, type] of [
  ["uncaughtException", "Uncaught Exception"],
  ["unhandledRejection", "Unhandled Promise Rejection"],
]) {
  process.on(event, (error) => {
    const { errorType, errorMessage, trace } = described(error);
    const name = event === "unhandledRejection" ? "Runtime.UnhandledPromiseRejection" : errorType;
    const told = { errorType: name, errorMessage: name === errorType ? errorMessage : `${errorType}: ${errorMessage}`, trace };
    console.error(type, `\t${JSON.stringify({ ...told, stack: trace, trace: undefined })}`);
    write("X", undefined, Buffer.from(JSON.stringify(told)).subarray(0, MOST_BYTES + 1), () => process.exit(128));
  });
}

let received = Buffer.alloc(0);
let handler = undefined;
let queue = Promise.resolve();

async function handle(kind, told, payload) {
  if (kind === "A") handler = await initialise(told);
  else if (handler) await invoke(handler, told, payload);
}

channel.on("data", (chunk) => {
  received = received.length ? Buffer.concat([received, chunk]) : chunk;
  while (received.length >= HEAD_BYTES) {
    const size = received.readUInt32BE(0);
    if (received.length < HEAD_BYTES + size) break;
    const kind = received.toString("latin1", 4, 5);
    const head = received.readUInt32BE(5);
    const body = received.subarray(HEAD_BYTES, HEAD_BYTES + size);
    received = received.subarray(HEAD_BYTES + size);
    const told = head ? JSON.parse(body.subarray(0, head).toString()) : {};
    queue = queue.then(() => handle(kind, told, body.subarray(head)));
  }
});
channel.on("end", () => process.exit(0));
channel.on("error", () => process.exit(0));
