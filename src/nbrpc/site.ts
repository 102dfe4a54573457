/** Which site a host belongs to, as far as that can be said without the Public Suffix List (pure). */
import { isIP } from 'node:net';

// Labels under which a country's registry sells names one level deeper (`bbc.co.uk`): those that hold most of such names. Where
// one is missing, two sites of that country look like one, and a redirect from one to the other is told as its code alone.
const sharedSeconds = new Set(
  'ac co com edu gob gouv gov govt gv id in ind info lg ltd me mil ne net nom or org plc police sch school web'.split(
    ' ',
  ),
);

// Under them everyone's names are one level deeper still: whose they are is not whose `github.io` is.
const hosting = new Set(
  'github.io gitlab.io pages.dev workers.dev netlify.app vercel.app herokuapp.com blogspot.com web.app'.split(' '),
);

/** `www.example.co.uk` → `example.co.uk`; an address, and a name of one label, are their own sites. Lower case. */
export function siteOf(host: string): string {
  const name = host.toLowerCase().replace(/\.+$/, '');
  const bare = name.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0) return bare;
  const labels = name.split('.');
  const [second = '', top = ''] = labels.slice(-2);
  const deeper = (top.length === 2 && sharedSeconds.has(second)) || hosting.has(`${second}.${top}`);
  return labels.slice(deeper ? -3 : -2).join('.');
}

/** Whether a Location header leads to a web page of another site. What cannot be read leads nowhere: false. */
export function leadsAway(host: string, location: string): boolean {
  const base = `http://${host.includes(':') ? `[${host}]` : host}/`;
  if (!URL.canParse(base) || !URL.canParse(location, base)) return false;
  const { protocol, hostname } = new URL(location, base);
  if (protocol !== 'http:' && protocol !== 'https:') return false;
  return siteOf(hostname) !== siteOf(new URL(base).hostname);
}
