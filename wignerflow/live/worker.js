// Runs chunks of trajectories and posts their sums; a later job ends an earlier one.
let kernel = null, current = -1, resume = () => {}, turn = 0;
const channel = new MessageChannel();
// A job that ended may leave a message behind, which must not wake another job before its turn.
channel.port1.onmessage = ({ data }) => { if (data === turn) resume(); };
const pause = () => new Promise((done) => { resume = done; channel.port2.postMessage(turn += 1); });

onmessage = async ({ data }) => {
  try {
    if (data.module) {
      kernel = await Kernel.load(data.module);
      postMessage({ ready: true });
      return;
    }
    current = data.job;
    if (data.tables) { kernel.setTables(data.tables); await run(data); }
  } catch (error) { postMessage({ error: String(error) }); }
};

async function run({ job, first, stride, last, seed }) {
  const { lanes, steps, chunks } = kernel.layout;
  let block = first, budget = 10; // milliseconds: the first curves come at once
  while (job === current && block < last) {
    const sums = new Sums(kernel.layout), start = performance.now();
    let calls = 0;
    do {
      sums.add(kernel, kernel.simulate({ first: block * chunks, chunks, seed }));
      block += stride;
      calls += 1;
    } while (block < last && performance.now() - start < budget);
    const seconds = (performance.now() - start) / 1000;
    const { count, mean, m2 } = sums;
    postMessage({ job, count, mean, m2, seconds, steps: calls * chunks * lanes * steps },
      [count.buffer, mean.buffer, m2.buffer]);
    budget = Math.min(2 * budget, 100);
    await pause();
  }
}
