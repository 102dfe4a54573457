/** What `netsteward check --host` says of dnstest: the programs that guard and cures need, their units and files. */
import { NetstewardError } from '../core/errors.ts';
import type { Finding } from '../core/module.ts';
import type { DnsBinding, LowPorts } from '../system/dns-listen-ports.ts';
import type { Commands, Files } from '../system/ports.ts';
import type { DnstestConfig } from './config.ts';
import { curesOf } from './configured-cures.ts';
import { readKeyFile } from './key-file.ts';
import { bindingsOf } from './serve-answerer.ts';
import { isWildcard, wildcardText } from './serve-binding.ts';

export interface DnstestPreflightHost {
  readonly commands: Commands;
  readonly files: Files;
  lowPorts(): Promise<LowPorts>;
}

/** Milliseconds. */
const patience = 10_000;

export async function preflight(config: DnstestConfig, host: DnstestPreflightHost): Promise<readonly Finding[]> {
  const { signal } = new AbortController();
  const succeeds = async (...argv: readonly string[]): Promise<boolean> =>
    (await host.commands.run({ argv, timeout: patience }, signal)).ok;
  const findings: Finding[] = [];
  if (config.guard.ping.length > 0 && !(await succeeds('fping', '-v'))) {
    const remedy = 'Install fping (Debian: apt install fping), or name dnstest.guard.tcp instead.';
    findings.push({ severity: 'error', text: 'fping cannot be run: its hosts guard nothing', remedy });
  }
  if (config.resolver.length > 0 && config.control === undefined) {
    const remedy = 'Name its address in dnstest.control.';
    const text = 'without the zone’s own server, a test zone that is down counts against every resolver';
    findings.push({ severity: 'warning', text, remedy });
  }
  for (const file of [config.hash_key_file, config.serve?.hash_key_file]) {
    if (file === undefined) continue;
    try {
      await readKeyFile(file, host.files);
    } catch (error) {
      const remedy = (error instanceof NetstewardError ? error.remedy : undefined) ?? 'See that it can be read.';
      findings.push({ severity: 'error', text: error instanceof Error ? error.message : String(error), remedy });
    }
  }
  for (const { address } of config.serve === undefined ? [] : bindingsOf(config.serve)) {
    const remedy = 'Name each address in dnstest.serve.bind.';
    if (isWildcard(address)) findings.push({ severity: 'warning', text: `${address}: ${wildcardText}`, remedy });
  }
  if (config.serve !== undefined) findings.push(...portFindings(bindingsOf(config.serve), await host.lowPorts()));
  if (!(await host.files.writable(config.state))) {
    const remedy = 'Make its folder, writable for the user that netsteward runs as, or name another file.';
    findings.push({ severity: 'error', text: `${config.state} cannot be written`, remedy });
  }
  for (const resolver of config.resolver) {
    const { address, reload, restart, fallback_file: file } = resolver;
    const idle = [resolver.fallback_content, ...resolver.fallback_command, resolver.fallback_resolver];
    if (file === undefined && idle.some((value) => value !== undefined)) {
      const remedy = 'Name the file in fallback_file.';
      findings.push({ severity: 'warning', text: `${address}: there is no file to switch to its fallback`, remedy });
    }
    for (const unit of new Set([reload, restart])) {
      // systemctl(1): `cat` fails for a unit without a file.
      if (unit === undefined || (await succeeds('systemctl', 'cat', '--', unit))) continue;
      const remedy = 'Name the unit as `systemctl list-units` does.';
      findings.push({ severity: 'error', text: `${address}: there is no unit ${unit}`, remedy });
    }
    if (file !== undefined && !(await host.files.writable(file))) {
      const remedy = 'Name a file that netsteward may replace, in a folder that it may write.';
      findings.push({ severity: 'error', text: `${address}: ${file} cannot be replaced`, remedy });
    }
  }
  const cures = config.resolver.reduce((sum, resolver) => sum + curesOf(resolver).length, 0);
  const serves = config.serve === undefined ? '' : `, a server at ${config.serve.bind.join(', ')}`;
  findings.push({ severity: 'ok', text: `${config.resolver.length} resolver(s) to watch, ${cures} cure(s)${serves}` });
  return findings;
}

function portFindings(bindings: readonly DnsBinding[], { first, may, unitMay }: LowPorts): readonly Finding[] {
  const low = [...new Set(bindings.map(({ port }) => port).filter((port) => port < first))];
  if (low.length === 0 || (may && unitMay !== false)) return [];
  const who = may ? 'netsteward.service' : 'this process';
  const ports = `port${low.length === 1 ? '' : 's'} ${low.join(', ')}`;
  const text = `${who} may not bind ${ports}: those below ${first} need CAP_NET_BIND_SERVICE`;
  const remedy =
    'packaging/netsteward-dns-port.conf gives it to netsteward.service; netsteward-dnstest-daemon.service has it.';
  return [{ severity: may ? 'warning' : 'error', text, remedy }];
}
