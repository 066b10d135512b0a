#!/bin/sh
# key.pem and cert.pem, for the tests of fetching over TLS: a self-signed certificate for the address
# 127.0.0.1 alone, valid from 2020 to 2120. The key protects nothing. Run in this folder.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/ca.cnf" <<END
[ca]
default_ca = own
[own]
database = $work/index
serial = $work/serial
new_certs_dir = $work
default_md = sha256
policy = any
x509_extensions = ext
[any]
commonName = supplied
[req]
distinguished_name = dn
prompt = no
[dn]
CN = lode test
[ext]
subjectAltName = IP:127.0.0.1
basicConstraints = critical, CA:TRUE
END
: > "$work/index"
echo 01 > "$work/serial"
openssl ecparam -genkey -noout -name prime256v1 | openssl pkcs8 -topk8 -nocrypt -out key.pem
openssl req -new -config "$work/ca.cnf" -key key.pem -out "$work/req.pem"
openssl ca -batch -notext -selfsign -config "$work/ca.cnf" -keyfile key.pem -in "$work/req.pem" \
    -startdate 20200101000000Z -enddate 21200101000000Z -out cert.pem
