/**
 * Replaces a zone file and kills itself before the call of that number to the file system: `ZONE NUMBER`; 0: it lives;
 * `exchange`: after an exchange, just before which an editor has saved.
 */
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const [zone = '', number = '0'] = process.argv.slice(2);
let calls = 0;

function step(): void {
  calls += 1;
  if (calls === Number(number)) process.kill(process.pid, 'SIGKILL');
}

// biome-ignore lint/suspicious/noExplicitAny: any function at all is wrapped
type Wrapped = Record<string, (...args: any[]) => any>;

/** Before a call, and once more when its result is there. */
function wrap(object: Wrapped, names: readonly string[]): void {
  for (const name of names) {
    const real = object[name];
    if (real === undefined) throw new Error(`there is no ${name}`);
    object[name] = function (this: unknown, ...args) {
      step();
      const result = real.apply(this, args);
      if (!(result instanceof Promise)) {
        step();
        return result;
      }
      return result.then((value: unknown) => {
        step();
        return value;
      });
    };
  }
}

const { renameSync, writeFileSync } = fs;
const handle = await promises.open(process.execPath);
wrap(Object.getPrototypeOf(handle) as Wrapped, ['writev', 'sync']);
await handle.close();
wrap(promises as unknown as Wrapped, ['open', 'unlink']);
const files = ['openSync', 'readSync', 'statSync', 'fstatSync', 'readdirSync', 'renameSync', 'fchmodSync', 'closeSync'];
wrap(fs as unknown as Wrapped, files);
syncBuiltinESMExports();
const { fileCalls } = await import('../../src/system/linux/file-calls.ts');
wrap(fileCalls() as unknown as Wrapped, ['lock', 'lease', 'exchange', 'setAttribute']);
const { LinuxZoneFiles } = await import('../../src/system/linux/zone-file-io.ts');
const { systemClock } = await import('../../src/core/clock.ts');
if (number === 'exchange') {
  const own = fileCalls();
  const real = own.exchange.bind(own);
  own.exchange = (one, other) => {
    writeFileSync(`${zone}.editor`, 'saved');
    renameSync(`${zone}.editor`, zone);
    real(one, other);
    process.kill(process.pid, 'SIGKILL');
    return true;
  };
}
calls = 0;
try {
  await new LinuxZoneFiles(systemClock).replace(zone, (content) =>
    Buffer.from(content.toString('latin1').toUpperCase(), 'latin1'),
  );
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
