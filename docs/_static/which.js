// The table of the page "Which method?": filter by words, and by the error that is good enough.
const table = document.getElementById("which");
if (table) {
  const words = document.getElementById("which-words");
  const most = document.getElementById("which-error");
  const shown = document.getElementById("which-shown");
  const rows = [...table.tBodies[0].rows];
  const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
  const update = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const limit = Number(most.value);
    const met = names.map(() => 0);
    let count = 0;
    for (const row of rows) {
      const head = row.cells[0];
      const text = `${head.textContent} ${head.title}`.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      if (row.hidden) continue;
      count += 1;
      [...row.cells].slice(1).forEach((cell, k) => {
        const enough = Number(cell.dataset.error) <= limit;
        cell.classList.toggle("enough", enough);
        met[k] += enough;
      });
    }
    const best = names.map((name, k) => [met[k], name]).sort((a, b) => b[0] - a[0]);
    shown.textContent = count
      ? `${count} models; within ${limit} %: ${best.map(([n, name]) => `${name} ${n}`).join(", ")}.`
      : "No model holds all of these words.";
  };
  words.addEventListener("input", update);
  most.addEventListener("change", update);
  update();
}
