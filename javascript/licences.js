// Prints the bundle, with the name, version and licence of each package in it before it.
import { readdirSync, readFileSync } from "node:fs";

const { inputs } = JSON.parse(readFileSync("meta.json", "utf8"));
const folders = new Set(Object.keys(inputs).map((file) => file.match(/^(.*node_modules\/[^/]+)\//)?.[1]));
const found = new Map();
for (const folder of [...folders].filter(Boolean).sort()) {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  const text = file ? readFileSync(`${folder}/${file}`, "utf8").trim() : `Licence: ${license}`;
  found.set(text, [...(found.get(text) ?? []), `${name} ${version}`]);
}
console.log("/*");
for (const [text, names] of found) console.log(`${names.join(", ")}\n\n${text}\n`);
console.log("*/");
console.log(readFileSync("bundle.js", "utf8").trim());
