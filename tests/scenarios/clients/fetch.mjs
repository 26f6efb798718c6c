// What is asked as JSON in the first argument, sent with Node's own fetch; answers as JSON.
import { readFileSync } from "node:fs";

const ask = JSON.parse(process.argv[2]);

// Node's fetch takes a client certificate through a dispatcher only. The class has no name of its
// own before `undici` is installed; the one in use shows itself once fetch has been called.
await fetch("data:,");
const Agent = globalThis[Symbol.for("undici.globalDispatcher.1")].constructor;
const dispatcher = new Agent({
  connections: 1,
  connect: {
    cert: readFileSync(ask.cert),
    key: readFileSync(ask.key),
    ca: readFileSync(ask.ca),
    minVersion: "TLSv1.3",
  },
});

const body = ask.body === null ? undefined : readFileSync(ask.body);

async function* pieces() {
  for (let start = 0; start < body.length; start += 100000) {
    yield body.subarray(start, start + 100000);
  }
}

const answers = [];
for (let count = 0; count < ask.times; count += 1) {
  const sent = ask.chunked ? { body: pieces(), duplex: "half" } : { body };
  const { method, headers } = ask;
  const got = await fetch(ask.url, { dispatcher, method, headers, ...sent });
  const content = Buffer.from(await got.arrayBuffer()).toString("base64");
  answers.push({ status: got.status, headers: [...got.headers], body: content });
}
console.log(JSON.stringify(answers));
await dispatcher.close();
