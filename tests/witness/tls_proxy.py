"""Ends TLS in front of a witness, with a new certificate for localhost.

Arguments: the witness's port, and where the certificate goes. Prints its port.
"""

import datetime
import os
import socket
import ssl
import sys
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM), private


def pass_on(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client, context, behind):
    try:
        client = context.wrap_socket(client, server_side=True)
    except OSError:
        return
    witness = socket.create_connection(("127.0.0.1", behind))
    threading.Thread(target=pass_on, args=(client, witness), daemon=True).start()
    pass_on(witness, client)
    client.close()


def main():
    public, private = certificate()
    with tempfile.TemporaryDirectory() as folder:
        both = os.path.join(folder, "both.pem")
        with open(both, "wb") as file:
            file.write(public + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
    with open(sys.argv[2], "wb") as file:
        file.write(public)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(
            target=serve, args=(client, context, int(sys.argv[1])), daemon=True
        ).start()


main()
