// A server of Node's own. It says what it got: method, header fields, content and trailers.
// Arguments: port, and the folder of keys and certificates.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";

const [port, pki] = process.argv.slice(2);
const options = {
  cert: readFileSync(`${pki}/receiver.pem`),
  key: readFileSync(`${pki}/receiver.key`),
  ca: readFileSync(`${pki}/ca.pem`),
  requestCert: true,
  rejectUnauthorized: true,
};

const server = createServer(options, async (asked, answer) => {
  const what = asked.url.split("/").pop();
  if (what === "hints") {
    answer.writeEarlyHints({ link: "</style.css>; rel=preload; as=style", "x-hint": "1" });
    answer.writeEarlyHints({ link: ["</a.js>; rel=preload", "</b.js>; rel=preload"] });
  }
  const digest = createHash("sha256");
  for await (const piece of asked) digest.update(piece);
  const said = JSON.stringify({
    method: asked.method,
    headers: asked.headers,
    trailers: asked.trailers,
    sha256: digest.digest("hex"),
  });
  answer.setHeader("Content-Type", "application/json");
  if (what === "trailers") {
    answer.setHeader("Trailer", "Server-Timing, X-Rows");
    answer.write(said);
    answer.addTrailers({ "Server-Timing": "db;dur=5", "X-Rows": "7" });
    answer.end();
  } else {
    answer.end(said);
  }
});
server.listen(Number(port), "127.0.0.1");
