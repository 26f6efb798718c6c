// What is asked as JSON in the first argument, sent with Node's https.request; answers as JSON.
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";

const ask = JSON.parse(process.argv[2]);
const agent = new Agent({
  keepAlive: true,
  maxSockets: 1,
  cert: readFileSync(ask.cert),
  key: readFileSync(ask.key),
  ca: readFileSync(ask.ca),
  minVersion: "TLSv1.3",
});
const body = ask.body === null ? Buffer.alloc(0) : readFileSync(ask.body);

function pairs(raw) {
  return raw.flatMap((name, at) => (at % 2 ? [] : [[name, raw[at + 1]]]));
}

function write(sent) {
  if (ask.chunked) {
    for (let start = 0; start < body.length; start += 100000) {
      sent.write(body.subarray(start, start + 100000));
    }
    if (ask.trailers) sent.addTrailers(ask.trailers);
    sent.end();
  } else {
    sent.end(body);
  }
}

function once() {
  return new Promise((resolve, reject) => {
    const interim = [];
    const length = ask.body === null || ask.chunked ? {} : { "Content-Length": body.length };
    const chunks = ask.chunked ? { "Transfer-Encoding": "chunked" } : {};
    const waits = ask.expect ? { Expect: "100-continue" } : {};
    const sent = request(ask.url, {
      agent,
      method: ask.method,
      headers: { ...ask.headers, ...length, ...chunks, ...waits },
    });
    sent.on("information", (said) => interim.push([said.statusCode, pairs(said.rawHeaders)]));
    sent.on("error", reject);
    sent.on("response", async (got) => {
      const pieces = [];
      for await (const piece of got) pieces.push(piece);
      resolve({
        status: got.statusCode,
        headers: pairs(got.rawHeaders),
        body: Buffer.concat(pieces).toString("base64"),
        interim,
        trailers: pairs(got.rawTrailers),
      });
    });
    if (ask.expect) sent.on("continue", () => write(sent));
    else write(sent);
  });
}

const answers = [];
for (let count = 0; count < ask.times; count += 1) answers.push(await once());
console.log(JSON.stringify(answers));
agent.destroy();
