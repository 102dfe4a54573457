/** What `netsteward check` does: parse, and with `--host` judge the machine. */
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import type { LogFields, Logger } from '../core/log.ts';
import type { Finding } from '../core/module.ts';
import { type ConfigSource, type Configuration, loadConfiguration } from '../supervisor/config.ts';
import { judgeHost } from '../supervisor/host-judgement.ts';
import { composeHostFacts, composeRegistry, hostNeeds, readText } from './compose.ts';
import { print, printError } from './output.ts';

/** Rejects with DiagnosticError when the configuration is wrong. */
export async function checkConfiguration(source: ConfigSource, host: boolean): Promise<ExitCode> {
  const configuration = await loadConfiguration(source, composeRegistry(errorLog), readText);
  print(`${source.file}: fine (${[...configuration.modules.keys()].join(', ')})\n`);
  if (!host) return exitCodes.ok;
  const findings = await lookAtHost(configuration);
  print(findings.map(renderFinding).join(''));
  return findings.some((finding) => finding.severity === 'error') ? exitCodes.failure : exitCodes.ok;
}

async function lookAtHost(configuration: Configuration): Promise<readonly Finding[]> {
  const findings = [...judgeHost(await composeHostFacts(), await hostNeeds(configuration))];
  for (const [name, { module, config }] of configuration.modules) {
    for (const finding of await module.preflight(config)) {
      findings.push({ ...finding, text: `${name}: ${finding.text}` });
    }
  }
  return findings;
}

const marks = { ok: 'ok      ', warning: 'WARNING ', error: 'ERROR   ' } as const;

export function renderFinding({ severity, text, remedy }: Finding): string {
  return `${marks[severity]}${text}\n${remedy === undefined ? '' : `        → ${remedy}\n`}`;
}

/** `check` prints findings; of what ports log meanwhile only errors are worth a line. */
export const errorLog: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (event: string, fields: LogFields = {}) => printError(`${event} ${JSON.stringify(fields)}\n`),
  child: () => errorLog,
};
