/* Pictures come in: dropped (folders too), pasted, or chosen. */

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((found, failed) => entry.file(found, failed))];
  const reader = entry.createReader(), found = [];
  for (;;) { // a folder is read in parts, until an empty one
    const part = await new Promise((read, failed) => reader.readEntries(read, failed));
    if (!part.length) break;
    for (const inner of part) found.push(...await filesOf(inner));
  }
  return found;
}
async function dropped(data) {
  const entries = [...data.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some(entry => entry.isDirectory)) return [...data.files];
  const found = [];
  for (const entry of entries) found.push(...await filesOf(entry));
  return found.filter(file => !file.name.startsWith(".")).sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

export function takeIn(input, take) {
  const { documentElement: page } = document;
  let inside = 0;
  const holdsFiles = event => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", event => { if (holdsFiles(event)) { inside++; page.classList.add("dropping"); event.preventDefault(); } });
  addEventListener("dragover", event => { if (holdsFiles(event)) { event.dataTransfer.dropEffect = "copy"; event.preventDefault(); } });
  addEventListener("dragleave", event => { if (holdsFiles(event) && --inside <= 0) { inside = 0; page.classList.remove("dropping"); } });
  addEventListener("drop", async event => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    inside = 0;
    page.classList.remove("dropping");
    take(await dropped(event.dataTransfer));
  });
  addEventListener("paste", event => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
  input.addEventListener("change", () => { take([...input.files]); input.value = ""; });
}
