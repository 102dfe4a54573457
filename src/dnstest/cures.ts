/** The cures of a resolver, and how each is done. */
import { describeError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import type { SwitchFiles } from '../system/dns-watch-ports.ts';
import type { CommandOutcome, Commands } from '../system/ports.ts';
import type { CheckFailure, CheckResult } from './check-result.ts';

interface Common {
  /** Milliseconds: a command is ended after this. */
  readonly timeout: number;
  /** Milliseconds from the end of the cure to the check that verifies it. */
  readonly settle: number;
}

/** Commands are program and arguments, without a shell. */
export type Cure =
  | (Common & { readonly kind: 'flush' | 'hook'; readonly command: readonly string[] })
  | (Common & { readonly kind: 'reload' | 'restart'; readonly unit: string })
  | (Common & {
      readonly kind: 'fallback';
      readonly file: string;
      readonly content: string;
      /** Makes others read the file again; empty: none. */
      readonly command: readonly string[];
      /** Must answer right before the switch; undefined: nobody is asked. */
      readonly resolver: string | undefined;
    });

export type Fallback = Extract<Cure, { kind: 'fallback' }>;

export interface CurePorts {
  readonly commands: Commands;
  readonly switches: SwitchFiles;
  /** Checks another resolver than the watched one, by its address. */
  readonly checkOther: (resolver: string, signal: AbortSignal) => Promise<CheckResult>;
}

/** Who is being cured of what, for commands: $NETSTEWARD_RESOLVER, $NETSTEWARD_FAILURE, $NETSTEWARD_REASON. */
export interface Patient {
  readonly resolver: string;
  readonly failure: CheckFailure;
}

/** In one or a few words, for people. */
export function nameOf(cure: Cure): string {
  switch (cure.kind) {
    case 'flush':
    case 'hook':
      return `${cure.kind} (${cure.command.join(' ')})`;
    case 'reload':
    case 'restart':
      return `${cure.kind} of ${cure.unit}`;
    case 'fallback':
      return `fallback in ${cure.file}`;
  }
}

/** Never rejects but with the signal's reason. */
export async function applyCure(
  cure: Cure,
  patient: Patient,
  ports: CurePorts,
  signal: AbortSignal,
): Promise<CommandOutcome> {
  const env = {
    NETSTEWARD_RESOLVER: patient.resolver,
    NETSTEWARD_FAILURE: patient.failure.kind,
    NETSTEWARD_REASON: printable(patient.failure.text),
  };
  const run = async (argv: readonly string[]): Promise<CommandOutcome> => {
    const outcome = await ports.commands.run({ argv, timeout: cure.timeout, env }, signal);
    signal.throwIfAborted();
    return outcome;
  };
  switch (cure.kind) {
    case 'flush':
    case 'hook':
      return run(cure.command);
    case 'reload':
      return run(['systemctl', 'reload', '--', cure.unit]);
    case 'restart': {
      // A unit that has failed is started again; one that somebody has stopped stays so (systemctl(1), try-restart).
      const failed = await run(['systemctl', 'is-failed', '--quiet', '--', cure.unit]);
      return run(['systemctl', failed.ok ? 'restart' : 'try-restart', '--', cure.unit]);
    }
    case 'fallback':
      return switchTo(cure, run, ports, signal);
  }
}

async function switchTo(
  { file, content, command, resolver }: Fallback,
  run: (argv: readonly string[]) => Promise<CommandOutcome>,
  { switches, checkOther }: CurePorts,
  signal: AbortSignal,
): Promise<CommandOutcome> {
  try {
    if (resolver !== undefined) {
      const { failure } = await checkOther(resolver, signal);
      if (failure !== undefined) {
        return { ok: false, reason: `the fallback ${resolver} does not answer right either: ${failure.text}` };
      }
    }
    await switches.switchTo(file, content);
    return command.length === 0 ? { ok: true } : await run(command);
  } catch (error) {
    signal.throwIfAborted();
    return { ok: false, reason: describeError(error) };
  }
}

/** The way back. 'none': there was nothing to put back; 'left': others have changed the file, so it is theirs. */
export async function putBack(
  cure: Fallback,
  patient: string,
  { commands, switches }: CurePorts,
  signal: AbortSignal,
): Promise<{ readonly what: 'none' | 'done' | 'left' } | { readonly what: 'failed'; readonly reason: string }> {
  try {
    if ((await switches.state(cure.file)) === 'original') return { what: 'none' };
    const state = await switches.putBack(cure.file);
    if (state === 'changed') return { what: 'left' };
    if (cure.command.length === 0) return { what: 'done' };
    const env = { NETSTEWARD_RESOLVER: patient };
    const outcome = await commands.run({ argv: cure.command, timeout: cure.timeout, env }, signal);
    return outcome.ok ? { what: 'done' } : { what: 'failed', reason: outcome.reason };
  } catch (error) {
    signal.throwIfAborted();
    return { what: 'failed', reason: describeError(error) };
  }
}
