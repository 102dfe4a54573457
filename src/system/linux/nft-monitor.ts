/** Ruleset changes from an `nft monitor` child: for machines on which koffi does not load. */
import { spawn } from 'node:child_process';
import { NetstewardError } from '../../core/errors.ts';
import type { RulesetChange, RulesetEvents } from '../ports.ts';
import { nftEnvironment } from './nft-interactive.ts';

/**
 * It tells no netlink port id, so that own changes are told like those of others: a listener compares, and finds nothing to do.
 * `onError` when the child ends.
 */
export const monitorEvents: RulesetEvents = {
  watch(_ignore, onChange, onError) {
    const child = spawn('nft', ['monitor'], { stdio: ['ignore', 'pipe', 'ignore'], env: nftEnvironment, cwd: '/' });
    const reader = new MonitorReader();
    let closing = false;
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      for (const change of reader.read(text)) onChange(change);
    });
    let failure: Error | undefined;
    child.on('error', (error) => {
      failure = error;
    });
    const ended = new Promise<void>((resolve) => {
      child.on('close', (code) => {
        resolve();
        if (closing) return;
        const reason = failure?.message ?? `exit code ${code}`;
        onError(new NetstewardError('ruleset-events-unavailable', `nft monitor ended: ${reason}`));
      });
    });
    return {
      async close() {
        closing = true;
        child.kill();
        await ended;
      },
    };
  },
};

const longestLine = 64 * 1024;

/** Lines such as `add element inet filter blocked { 192.0.2.1 }`, closed by `# new generation 7 by process 42 (nft)`. */
export class MonitorReader {
  #rest = '';
  #tables = new Set<string>();
  #sets = new Set<string>();

  read(text: string): readonly RulesetChange[] {
    const changes: RulesetChange[] = [];
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(-longestLine);
    for (const line of lines) {
      if (line.startsWith('# new generation')) {
        if (this.#tables.size > 0) changes.push({ portIds: new Set(), tables: this.#tables, sets: this.#sets });
        this.#tables = new Set();
        this.#sets = new Set();
        continue;
      }
      const [, kind, family, table, name] = /^(?:add|delete|destroy) (\w+) (\w+) (\S+)(?: (\S+))?/.exec(line) ?? [];
      if (kind === undefined || family === undefined || table === undefined) continue;
      this.#tables.add(table);
      if ((kind === 'set' || kind === 'element') && name !== undefined) this.#sets.add(name);
    }
    return changes;
  }
}
