/** `netsteward lab …`: a rehearsal internet to try a policy in before it meets a router. */
import type { Command } from 'commander';
import { NetstewardError } from '../core/errors.ts';
import { exitCodes } from '../core/exit-codes.ts';
import type { DnsBehaviour } from '../lab/service.ts';
import {
  type CensorKind,
  censorHelp,
  censorKinds,
  type DnsKind,
  dnsHelp,
  dnsKinds,
  type HostName,
  hostNames,
} from '../lab/vocabulary.ts';
import { registerRehearse } from './lab-rehearse.ts';
import { print, printJson } from './output.ts';

interface StateOption {
  readonly state?: string;
}

const overview = `
The lab is five hosts in namespaces of their own; nothing of it touches this machine's network:

  lan ── router ── isp ─── world        the direct path, with the censor
            └───── exit ──┘             the tunnel: what the router marks 0x10000

Examples:
  $ netsteward lab up                             (ends with: netsteward lab down)
  $ netsteward lab curl video.example
  $ netsteward lab censor video.example drop
  $ netsteward lab exec router -- nft list ruleset
`;

/** Adds the `lab` command with its subcommands; everything heavy is loaded when one runs. */
export function registerLab(program: Command): void {
  const lab = program
    .command('lab')
    .description('a small internet in namespaces, with a censor, for rehearsing a policy')
    .addHelpText('after', overview);

  withState(lab.command('up'))
    .description('bring the lab up')
    .option('--foreground', 'stay, and take it down on Ctrl-C')
    .option(
      '--service <name...>',
      'what the world serves, each at two IPv4 and two IPv6 addresses (default: some made-up names)',
    )
    .action((options: StateOption & { foreground?: boolean; service?: string[] }) => up(options));

  withState(lab.command('down'))
    .description('end the lab; nothing of it remains')
    .action((options: StateOption) => down(options));

  withState(lab.command('status'))
    .description('hosts, addresses, services, and what is censored')
    .option('--json', 'as JSON')
    .action((options: StateOption & { json?: boolean }) => status(options));

  withState(lab.command('censor'))
    .description('block, or unblock, a name, an address, ipv4 or ipv6 on the direct path')
    .argument('<target>', 'a service, an address, ipv4 or ipv6')
    .addArgument(lab.createArgument('<kind>', 'how').choices(censorKinds))
    .option('--after <kilobytes>', 'stall, cut: what passes before the silence or the reset (default: 16)')
    .option('--rate <kilobytes>', 'throttle: what passes in a second (default: 4)')
    .option('--address <address...>', 'dns: what the forged answers say (default: private addresses)')
    .option('--location <url>', 'redirect: where to')
    .addHelpText('after', listed('Kinds', censorHelp))
    .action((target: string, kind: CensorKind, options: CensorFlags) => censor(target, kind, options));

  withState(lab.command('exec'))
    .description('run a command in a host')
    .addArgument(lab.createArgument('<host>', 'where').choices(hostNames))
    .argument('<command...>', 'after --: the command with its arguments')
    .action((host: HostName, command: string[], options: StateOption) => exec(host, command, options));

  withState(lab.command('curl'))
    .description('fetch from a service as a client on the LAN would; exit code 1 when that fails')
    .argument('<name>', 'a service')
    .option('--http', 'http instead of https')
    .option('--path <url-path>', 'what to ask for', '/')
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .addOption(lab.createOption('--host <host>', 'from where').choices(hostNames).default('lan'))
    .action((name: string, options: CurlFlags) => curl(name, options));

  registerRehearse(lab);

  withState(lab.command('dns'))
    .description('change what DNS says of a name')
    .argument('<name>', "a name, or '*' for all that were not named")
    .addArgument(lab.createArgument('<behaviour>', 'what it says').choices(dnsKinds))
    .argument('[values...]', 'addresses: which; rotate and shrink: how many of each family')
    .option('--delay <milliseconds>', 'before each answer')
    .addHelpText('after', listed('Behaviours', dnsHelp))
    .action((name: string, kind: DnsKind, values: string[], options: StateOption & { delay?: string }) =>
      dns(name, kind, values, options),
    );
}

/** A list for --help; bracketed remarks of the text stay with it. */
function listed(title: string, words: Readonly<Record<string, string>>): string {
  const lines = Object.entries(words).map(([word, meaning]) => `  ${word.padEnd(10)} ${meaning}\n`);
  return `\n${title}:\n${lines.join('')}`;
}

function withState(command: Command): Command {
  return command.option('--state <folder>', 'state folder of the lab (default: $XDG_RUNTIME_DIR/netsteward-lab)');
}

const usage = (message: string): NetstewardError => new NetstewardError('usage', message);

async function stateDir({ state }: StateOption): Promise<string> {
  return state ?? (await import('../lab/state-folder.ts')).defaultStateDir();
}

async function attached(options: StateOption) {
  const { Lab } = await import('../lab/lab.ts');
  return Lab.attach(await stateDir(options));
}

async function up(options: StateOption & { foreground?: boolean; service?: string[] }): Promise<void> {
  const { Lab } = await import('../lab/lab.ts');
  const lab = await Lab.up({
    stateDir: await stateDir(options),
    services: (options.service ?? []).map((name) => ({ name })),
    detached: options.foreground !== true,
  });
  const { services } = await lab.status();
  print(`The lab is up. State folder: ${lab.stateDir}\n`);
  print(
    `It serves ${services.length > 8 ? `${services.length} names` : services.map(({ name }) => name).join(', ')}.\n`,
  );
  if (options.foreground !== true) {
    print('Try: netsteward lab status\n');
    return;
  }
  print('Ctrl-C takes it down.\n');
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  await lab.ended(stop.signal);
  const crashed = !stop.signal.aborted;
  await lab.down();
  if (crashed) throw new NetstewardError('lab-ended', 'the lab ended by itself');
}

async function down(options: StateOption): Promise<void> {
  const lab = await attached(options);
  await lab.down();
  print('The lab is down.\n');
}

async function status(options: StateOption & { json?: boolean }): Promise<void> {
  const lab = await attached(options);
  const picture = await lab.status();
  if (options.json === true) {
    printJson({ stateDir: lab.stateDir, pid: lab.keeperPid, ...picture });
  } else {
    const { renderStatus } = await import('../lab/render-status.ts');
    print(`${renderStatus(lab.stateDir, picture)}\n`);
  }
}

interface CensorFlags extends StateOption {
  readonly after?: string;
  readonly rate?: string;
  readonly address?: string[];
  readonly location?: string;
}

async function censor(target: string, kind: CensorKind, options: CensorFlags): Promise<void> {
  const lab = await attached(options);
  await lab.censor(target, kind, {
    ...(options.after === undefined ? {} : { after: count('--after', options.after) * 1024 }),
    ...(options.rate === undefined ? {} : { rate: count('--rate', options.rate) * 1024 }),
    ...(options.address === undefined ? {} : { addresses: options.address }),
    ...(options.location === undefined ? {} : { location: options.location }),
  });
  print(kind === 'none' ? `${target} passes.\n` : `${target}: ${kind}.\n`);
}

async function exec(host: HostName, [program = '', ...rest]: string[], options: StateOption): Promise<void> {
  const lab = await attached(options);
  const child = lab.spawn(host, [program, ...rest], { stdio: 'inherit' });
  // Ctrl-C reaches the command by itself: it shares the terminal. What is sent to this process alone is passed on.
  const ignore = (): void => {};
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on('SIGINT', process.stdin.isTTY ? ignore : forward);
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const) process.on(signal, forward);
  const { constants } = await import('node:os');
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

interface CurlFlags extends StateOption {
  readonly http?: boolean;
  readonly path: string;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly host: HostName;
}

async function curl(name: string, options: CurlFlags): Promise<void> {
  if (!options.path.startsWith('/')) throw usage('--path starts with /');
  const lab = await attached(options);
  const family = options.ipv4 === options.ipv6 ? undefined : options.ipv4 === true ? 4 : 6;
  const result = await lab.curl(name, {
    host: options.host,
    scheme: options.http === true ? 'http' : 'https',
    path: options.path,
    ...(family === undefined ? {} : { family }),
  });
  const { renderFetch } = await import('../lab/render-status.ts');
  print(`${renderFetch(name, result)}\n`);
  if (!result.ok) process.exitCode = exitCodes.failure;
}

async function dns(
  name: string,
  kind: DnsKind,
  values: string[],
  options: StateOption & { delay?: string },
): Promise<void> {
  const behaviour = dnsOf(kind, values);
  const lab = await attached(options);
  await lab.dns(name, {
    ...behaviour,
    ...(options.delay === undefined ? {} : { delay: count('--delay', options.delay) }),
  });
  print(`DNS of ${name}: ${[kind, ...values].join(' ')}.\n`);
}

function dnsOf(kind: DnsKind, values: string[]): DnsBehaviour {
  if (kind === 'addresses') return { kind, addresses: values };
  if (kind === 'rotate' || kind === 'shrink') {
    if (values.length !== 1) throw usage(`${kind} takes one number`);
    return { kind, count: count(kind, values[0] ?? '') };
  }
  if (values.length > 0) throw usage(`${kind} takes no values`);
  return { kind };
}

function count(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw usage(`${name} must be a whole number, not ${text}`);
  return Number(text);
}
