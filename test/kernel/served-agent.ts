/** `netsteward nft-agent --serve` as a process with a folder of its own: where its socket is, what it says, its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mainJs } from '../checkout.ts';
import { eventually } from '../system/eventually.ts';

export class ServedAgent {
  readonly #folder = mkdtempSync(join(tmpdir(), 'netsteward-agent-'));
  readonly socket = join(this.#folder, 'nft.sock');
  readonly process: ChildProcess;
  /** On standard error, so far. */
  said = '';

  /** `rights`: the text of its file, without the key for the socket. */
  constructor(rights: string) {
    const file = join(this.#folder, 'nft-agent.toml');
    writeFileSync(file, `agent = "nft.sock"\n${rights}`);
    this.process = spawn(process.execPath, [mainJs, 'nft-agent', '--serve', file], {
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.said += text;
    });
  }

  /** Until it listens, and others may connect. */
  async ready(): Promise<void> {
    await this.holds('the socket', () => {
      try {
        return (statSync(this.socket).mode & 0o777) === 0o660;
      } catch {
        return false;
      }
    });
  }

  /** Waits for this; where it never comes, what the agent said is shown. */
  async holds(what: string, look: () => boolean): Promise<void> {
    await eventually(what, look, { details: () => this.said });
  }

  end(): void {
    this.process.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true });
  }
}
