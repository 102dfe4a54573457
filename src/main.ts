#!/usr/bin/env node
/** argv → exit code, nothing else. */
import { runCli } from './cli/program.ts';

process.exitCode = await runCli(process.argv.slice(2));
