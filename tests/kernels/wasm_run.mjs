// node wasm_run.mjs HOST.mjs MODULE.wasm CALLS.json: runs calls in order, prints what they leave.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [host, module, calls] = process.argv.slice(2);
const { Kernel, Sums } = await import(pathToFileURL(host));
const bytes = readFileSync(module);
const kernel = await Kernel.load(bytes);
const compiled = await WebAssembly.compile(bytes);
const plain = (array) => Array.from(array, Number);
const out = [];
for (const { tables, again, ...call } of JSON.parse(readFileSync(calls))) {
  if (tables) kernel.setTables(Buffer.from(tables, "base64"));
  if (again) kernel.array("begin").set(kernel.array("final"));
  const start = performance.now();
  const chunks = kernel.simulate({ ...call, again, seed: BigInt(call.seed) });
  const seconds = (performance.now() - start) / 1000;
  const sums = new Sums(kernel.layout);
  sums.add(kernel, chunks);
  const observables = {};
  for (const [name, parts] of Object.entries(sums.observables())) {
    observables[name] = Object.fromEntries(Object.entries(parts).map(([k, v]) => [k, v && plain(v)]));
  }
  const arrays = {};
  for (const name of ["count", "mean", "m2", "clips", "final"]) arrays[name] = plain(kernel.array(name));
  out.push({ observables, arrays, seconds });
}
console.log(JSON.stringify({
  imports: WebAssembly.Module.imports(compiled), exports: WebAssembly.Module.exports(compiled), out,
}));
