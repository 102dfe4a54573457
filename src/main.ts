#!/usr/bin/env node
/** argv → exit code, nothing else. */
const args = process.argv.slice(2);
const { runCli } = args[0] === 'run' ? await import('./cli/program-run.ts') : await import('./cli/program.ts');

process.exitCode = await runCli(args);

export {};
