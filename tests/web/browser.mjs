// What the tests share: a static server, and Chromium as visitors have it.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, resolve } from "node:path";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css" };
Object.assign(TYPES, { ".wasm": "application/wasm", ".svg": "image/svg+xml", ".png": "image/png", ".json": "application/json" });

/** Serves files of `folder` under /page/; returns that address, and a function that ends it. */
export async function serve(folder) {
  const server = createServer((request, response) => {
    try {
      const name = request.url.replace(/^\/page\//, "").replace(/\?.*/, "") || "index.html";
      const body = readFileSync(join(folder, name));
      response.writeHead(200, { "Content-Type": TYPES[extname(name)] ?? "application/octet-stream" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { address: `http://127.0.0.1:${server.address().port}/page/`, close: () => server.close() };
}

const QUIET = ["--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"];
QUIET.push("--disable-component-update", "--disable-sync");

/** WebGPU on a software adapter, which Chromium has behind this flag. */
export const GPU = ["--enable-unsafe-webgpu"];

export function launch(modules, args) {
  const { chromium } = createRequire(resolve(modules) + "/")("playwright-core");
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    // Visitors' browsers use a GPU, and limit how often a page may write its address; Playwright's defaults don't.
    ignoreDefaultArgs: ["--disable-gpu", "--disable-ipc-flooding-protection"],
    args: [...QUIET, ...args],
  });
}
