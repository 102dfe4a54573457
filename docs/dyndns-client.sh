#!/bin/sh
# A dyndns client for machines without Node: POSIX sh, openssl 3, and socat, nc or bash to send with.
# usage: dyndns-client.sh KEY_FILE HOST [PORT [4|6]]     sends; the family needs socat, or an nc that knows -4 and -6
#        dyndns-client.sh KEY_FILE                       writes the packet of 100 bytes to standard output
# KEY_FILE: an Ed25519 key in PEM, or a seed as `netsteward dyndns keygen -o` writes it.
set -eu
umask 077
say() { echo "dyndns-client: $*" >&2; exit 1; }
[ $# -ge 1 ] && [ $# -le 4 ] || say 'usage: dyndns-client.sh KEY_FILE [HOST [PORT [4|6]]]'
key=$1 host=${2-} port=${3-5533} family=${4-}
[ -r "$key" ] || say "$key cannot be read"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
case $(head -n 1 "$key") in
-----BEGIN*) cp "$key" "$work/key.pem" ;;
*) # PKCS #8 of RFC 8410: 16 bytes that never differ, then the seed.
  seed=$(tr -d ' \t\r\n=' <"$key" | tr '_-' '/+')
  [ ${#seed} -eq 43 ] || say "$key holds neither PEM nor one seed of 32 bytes"
  { printf '\060\056\002\001\000\060\005\006\003\053\145\160\004\042\004\040'
    echo "$seed=" | openssl base64 -d -A; } | openssl pkey -inform DER -out "$work/key.pem" ;;
esac

# The key id: the first 168 bits of the SHA-256 of the 32 bytes that end the public key's DER.
openssl pkey -in "$work/key.pem" -pubout -outform DER -out "$work/public.der"
id=$(tail -c 32 "$work/public.der" | openssl dgst -sha256 -binary | head -c 21 | openssl base64 -A | tr '/+' '_-')
[ ${#id} -eq 28 ] || say "$key: openssl made no key id of it (is it an Ed25519 key?)"

# The time as a big-endian IEEE 754 double, in hexadecimal: sign and exponent, then 52 bits that follow the leading one.
now=$(date +%s)
exponent=30
[ "$now" -ge 1073741824 ] || say 'the clock of this machine is wrong'
while [ $((now >> exponent)) -gt 1 ]; do exponent=$((exponent + 1)); done
low=$((exponent - 20))
rest=$((now - (1 << exponent)))
time=$(printf '%03x%05x%03x00000' $((1023 + exponent)) $((rest >> low)) $(((rest & ((1 << low) - 1)) << (12 - low))))

{ printf %s "$id"
  while [ -n "$time" ]; do # printf knows octal escapes only, everywhere.
    pair=${time%"${time#??}"} time=${time#??}
    printf "\\$(printf %03o "0x$pair")"
  done; } >"$work/packet"
openssl pkeyutl -sign -rawin -inkey "$work/key.pem" -in "$work/packet" -out "$work/signature"
cat "$work/signature" >>"$work/packet"
[ "$(wc -c <"$work/packet")" -eq 100 ] || say 'openssl made a signature of another length'

if [ -z "$host" ]; then
  cat "$work/packet"
elif command -v socat >/dev/null; then
  case $host in *:*) host=[${host#[}; host=${host%]}] ;; esac
  socat -u "OPEN:$work/packet,rdonly" "UDP$family-SENDTO:$host:$port"
elif command -v nc >/dev/null; then
  nc ${family:+-$family} -u -w 1 "$host" "$port" <"$work/packet"
elif command -v bash >/dev/null; then
  bash -c 'cat "$1" >"/dev/udp/$2/$3"' - "$work/packet" "$host" "$port"
else
  say 'there is neither socat nor nc nor bash to send with'
fi
