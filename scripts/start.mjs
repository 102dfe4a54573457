/** `npm start`: set-up, then the main job inside the lab; `npm start -- --config FILE`: the same on this machine. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root, setUp } from './setup.mjs';

const args = process.argv.slice(2);
setUp();

const onThisMachine = args.some((arg) => arg === '-c' || arg === '--config' || arg.startsWith('--config='));
const command = onThisMachine
  ? ['run', ...args]
  : ['lab', 'rehearse', '--config', join(root, 'netsteward.example.toml'), ...args];
const child = spawn(process.execPath, [join(root, 'dist', 'src', 'main.js'), ...command], { stdio: 'inherit' });

// A terminal's Ctrl-C reaches the child by itself; a signal sent to npm's process alone is passed on.
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
process.on('SIGINT', () => {});
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
