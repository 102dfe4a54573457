/** What the supervisor and a module that runs elsewhere say to each other; what a module says is checked on arrival. */
//
// The module begins with `hello`; then it gets `start`, and answers `ready` or `refused` (and then ends). `reload` and `ping` are
// answered with their id, in order, `command` with its id when it is done. After `stop` the module says `stopped` and ends. `log`
// and `crashed` come at any time.
import * as v from 'valibot';
import { NetstewardError } from '../core/errors.ts';
import type { ModuleHealth, StopReason } from '../core/module.ts';

export type SupervisorMessage =
  /** `config`: what the module's parse() made. */
  | { readonly type: 'start'; readonly config: unknown }
  | { readonly type: 'reload'; readonly id: number; readonly config: unknown }
  /** `detail`: with the module's whole picture, which can be large. */
  | { readonly type: 'ping'; readonly id: number; readonly detail: boolean }
  /** RunningModule.command() */
  | { readonly type: 'command'; readonly id: number; readonly name: string; readonly argument: string }
  | { readonly type: 'stop'; readonly reason: StopReason };

const count = v.pipe(v.number(), v.safeInteger());
const optionalText = v.optional(v.string());

/** An Error as data: a clone of it would lose code and remedy. */
const plainError = v.object({ message: v.string(), code: optionalText, remedy: optionalText, stack: optionalText });

const health = v.object({
  ready: v.boolean(),
  summary: v.string(),
  warnings: v.array(
    v.object({
      code: v.string(),
      subject: v.string(),
      severity: v.picklist(['warning', 'error']),
      text: v.string(),
      remedy: v.string(),
      since: v.number(),
    }),
  ),
  detail: v.optional(v.unknown()),
});

const logLine = v.object({
  level: v.picklist(['debug', 'info', 'warn', 'error']),
  event: v.string(),
  fields: v.record(v.string(), v.unknown()),
});

const moduleMessage = v.variant('type', [
  // The most frequent first: they are tried one after the other.
  v.object({ type: v.literal('log'), lines: v.array(logLine) }),
  /** `version`: of the program that the module's side was loaded from. */
  v.object({ type: v.literal('hello'), version: v.string() }),
  v.object({ type: v.literal('ready'), health }),
  v.object({ type: v.literal('refused'), error: plainError }),
  /** Without health while the module starts. */
  v.object({ type: v.literal('pong'), id: count, health: v.optional(health) }),
  /** With health where it was taken. */
  v.object({ type: v.literal('reloaded'), id: count, health: v.optional(health), error: v.optional(plainError) }),
  /** With `answer` or with `error`. */
  v.object({ type: v.literal('commanded'), id: count, answer: optionalText, error: v.optional(plainError) }),
  /** The module has ended by itself; what it leaves behind goes with `stop`. */
  v.object({ type: v.literal('crashed'), error: plainError }),
  v.object({ type: v.literal('stopped'), error: v.optional(plainError) }),
]);

export type ModuleMessage = v.InferOutput<typeof moduleMessage>;
export type LogLine = v.InferOutput<typeof logLine>;
export type PlainError = v.InferOutput<typeof plainError>;
/** Without `detail` it is a short one. */
export type HealthData = v.InferOutput<typeof health>;

/** Throws NetstewardError `module-message-invalid`. */
export function parseModuleMessage(message: unknown): ModuleMessage {
  const result = v.safeParse(moduleMessage, message);
  if (result.success) return result.output;
  const [{ message: problem }] = result.issues;
  throw new NetstewardError('module-message-invalid', `it sent a message that nobody understands: ${problem}`);
}

/** Warning codes are those of this version's catalogue: another version is refused at `hello`. */
export const healthOf = (data: HealthData): ModuleHealth => data as ModuleHealth;

export function errorFrom({ code, message, remedy, stack }: PlainError): Error {
  if (code !== undefined) return new NetstewardError(code, message, remedy === undefined ? {} : { remedy });
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
