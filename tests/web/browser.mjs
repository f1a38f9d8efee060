// What the tests share: the package as its users have it, a static server, and Chromium as visitors have it.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";

/** Packs the package and installs it into an empty project, without a network. Returns the project and what runs programs in it. */
export function install(built) {
  const project = mkdtempSync(join(tmpdir(), "hard-sigmoid-npm-"));
  process.on("exit", () => rmSync(project, { recursive: true, force: true }));
  const run = (program, ...command) => {
    try {
      return execFileSync(program, command, { cwd: project, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    } catch (error) {
      console.error(error.stdout, error.stderr);
      throw error;
    }
  };
  const tarball = run("npm", "pack", "--silent", built).trim();
  writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }');
  run("npm", "install", "--offline", "--no-audit", "--no-fund", "--silent", `./${tarball}`);
  return { project, run };
}

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
