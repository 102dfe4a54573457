/** How people get to the page: a URL, or the command that opens the way to it (pure). */
import { NetstewardError } from '../../core/errors.ts';
import type { StatusReport } from '../status-report.ts';
import { type Binding, bindingText, isLocal, parseBinding } from './binding.ts';

/** Of a port on the reader's own machine. */
const nearPort = 8053;

/** Lines for people. `machine`: the name of this one, as they reach it. */
export function wayTo(binding: Binding, machine: string): readonly string[] {
  const through = (target: string): readonly string[] => [
    `ssh -L ${nearPort}:${target} ${machine}`,
    `http://localhost:${nearPort}/`,
  ];
  if (binding.kind === 'unix') {
    return [
      `The status page listens on ${binding.path}. From another machine, as a user who may write to that socket, open the way:`,
      ...through(binding.path).map((line) => `  ${line}`),
      `Here: curl --unix-socket ${binding.path} http://localhost/api/state`,
    ];
  }
  const url = `http://${bindingText(binding)}/`;
  if (!isLocal(binding)) return [url, 'Every reader needs the token that stands in page.token_file.'];
  return [url, 'From another machine:', ...through(bindingText(binding)).map((line) => `  ${line}`)];
}

/** Where the page of a running netsteward listens. Throws NetstewardError `page-off`. */
export function runningPage({ modules }: Pick<StatusReport, 'modules'>): Binding {
  const page = modules.find(({ name }) => name === 'page');
  const { listen } = Object(page?.health?.detail) as { readonly listen?: unknown };
  const binding = typeof listen === 'string' ? parseBinding(listen) : undefined;
  if (binding !== undefined) return binding;
  const off = page === undefined;
  throw new NetstewardError(
    'page-off',
    off ? 'the status page is off' : `the status page does not run: ${page.state}`,
    {
      remedy: off
        ? 'Add a table [page] to the configuration, and reload (netsteward reload).'
        : 'See `netsteward status`, which says why.',
    },
  );
}
