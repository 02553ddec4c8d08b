// Runs a kernel made by `model.compile(..., target="wasm32")`: in a page, a worker or Node.

const TYPES = {
  float32: Float32Array, float64: Float64Array, int64: BigInt64Array, uint32: Uint32Array,
};

export class Kernel {
  // bytes: of the module; a response of `fetch` may be passed as `await response.arrayBuffer()`.
  static async load(bytes) {
    const module = await WebAssembly.compile(bytes);
    const [section] = WebAssembly.Module.customSections(module, "wignerflow");
    const layout = JSON.parse(new TextDecoder().decode(section));
    const memory = new WebAssembly.Memory({ initial: layout.pages });
    const instance = await WebAssembly.instantiate(module, { env: { memory } });
    return new Kernel(layout, memory, instance.exports.run);
  }

  constructor(layout, memory, run) {
    this.layout = layout;
    this.memory = memory;
    this.run = run;
    this.words = new DataView(memory.buffer);
  }

  // A view of an array in memory: "count", "mean", "m2", "clips", "begin", "final".
  array(name) {
    const { at, type, shape } = this.layout.arrays[name];
    return new TYPES[type](this.memory.buffer, at, shape.reduce((a, b) => a * b, 1));
  }

  // Take other numbers: the `tables` of a model with the same `code`.
  setTables(bytes) {
    const { at, bytes: size } = this.layout.tables;
    if (bytes.byteLength !== size) throw new Error(`These tables have ${bytes.byteLength} bytes, not ${size}: they belong to another kernel.`);
    new Uint8Array(this.memory.buffer, at, size).set(new Uint8Array(bytes));
  }

  // Run chunks from number `first`; `seed` is a number or BigInt below 2^64. With `again`, the
  // trajectories start from the states in "begin". Sums stand in memory until the next call.
  simulate({ first = 0, chunks = 1, seed = 0, ntraj = (first + chunks) * this.layout.lanes, again = false } = {}) {
    if (chunks > this.layout.chunks) throw new Error(`This kernel has room for ${this.layout.chunks} chunks, not ${chunks}.`);
    const key = BigInt(seed);
    const call = {
      first, chunks, ntraj, seed0: key & 0xffffffffn, seed1: key >> 32n, begin: again ? chunks : 0,
    };
    for (const [name, value] of Object.entries(call)) {
      this.words.setBigInt64(this.layout.call[name], BigInt(value), true);
    }
    this.run(this.layout.run);
    return chunks;
  }
}

// Means of all channels over the chunks of any number of calls, with standard errors.
export class Sums {
  constructor(layout) {
    this.layout = layout;
    const [, T, K] = layout.arrays.mean.shape;
    this.T = T;
    this.K = K;
    this.count = new Float64Array(T);
    this.mean = new Float64Array(T * K);
    this.m2 = new Float64Array(T * K);
  }

  // Add what a call of `simulate` left: groups merge by Chan, Golub and LeVeque.
  add(kernel, chunks) {
    const count = kernel.array("count"), mean = kernel.array("mean"), m2 = kernel.array("m2");
    for (let c = 0; c < chunks; c++) {
      for (let i = 0; i < this.T; i++) {
        const n = Number(count[c * this.T + i]);
        if (n === 0) continue;
        const old = this.count[i], all = old + n;
        for (let k = 0; k < this.K; k++) {
          const here = i * this.K + k, there = c * this.T * this.K + here;
          const off = mean[there] - this.mean[here];
          this.mean[here] += (off * n) / all;
          this.m2[here] += m2[there] + (off * off * old * n) / all;
        }
        this.count[i] = all;
      }
    }
  }

  // {name: {mean, sem, imag, imagSem}}, each (T, size); the last two are null for real ones.
  observables() {
    const out = {};
    for (const { name, size, real, imag } of this.layout.observables) {
      const [mean, sem] = this.part(real, size);
      const [imagMean, imagSem] = imag === null ? [null, null] : this.part(imag, size);
      out[name] = { mean, sem, imag: imagMean, imagSem };
    }
    return out;
  }

  part(first, size) {
    const mean = new Float64Array(this.T * size), sem = new Float64Array(this.T * size);
    for (let i = 0; i < this.T; i++) {
      const n = this.count[i];
      for (let m = 0; m < size; m++) {
        const k = i * this.K + first + m;
        mean[i * size + m] = n > 0 ? this.mean[k] : NaN;
        sem[i * size + m] = n > 1 ? Math.sqrt(this.m2[k] / (n * (n - 1))) : NaN;
      }
    }
    return [mean, sem];
  }
}
