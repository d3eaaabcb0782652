/** Where a Worker's entry is: beside this file, or inside the compiled executable, whose root is the repository's. */

/** URL of `lib/app/<name>.ts`. The build names the same entries (scripts/build/executable.ts). */
export function workerUrl(name: "reader_worker" | "recorder_worker" | "holder_worker"): string {
  const compiled = import.meta.url.includes("/$bunfs/");
  return new URL(compiled ? `./lib/app/${name}.ts` : `./${name}.ts`, import.meta.url).href;
}
