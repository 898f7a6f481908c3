"""A security key and a passkey in software: every bit of what they sign can be chosen, so that false ones can be made."""

import base64
import hashlib
import json
import subprocess

NAMESPACE = b"decision@pam-jit"
SK = b"sk-ecdsa-sha2-nistp256@openssh.com"
WEBAUTHN = b"webauthn-sk-ecdsa-sha2-nistp256@openssh.com"


def string(b):
    return len(b).to_bytes(4, "big") + b


def openssl(*argv, data=None):
    return subprocess.run(["openssl", *argv], input=data, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


class Key:
    def __init__(self, path):
        self.path = str(path)
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path)
        self.point = openssl("ec", "-in", self.path, "-pubout", "-outform", "DER")[-65:]

    def blob(self, application):
        return string(SK) + string(b"nistp256") + string(self.point) + string(application.encode())

    def public(self, application):
        return SK.decode() + " " + base64.b64encode(self.blob(application)).decode()

    def ecdsa(self, data):
        der = openssl("dgst", "-sha256", "-sign", self.path, data=data)
        out, at = b"", 2
        for _ in range(2):
            size = der[at + 1]
            out += string(der[at + 2:at + 2 + size])  # DER's integers are valid mpints
            at += 2 + size
        return string(out)

    def sign(self, text, kind="sk", flags=1, origin="https://hub.example", client=None, challenge=None):
        """An armored signature over TEXT: kind sk (as ssh-keygen makes it) or webauthn (as a browser's is wrapped)."""
        application = "ssh:" if kind == "sk" else "hub.example"
        signed = (b"SSHSIG" + string(NAMESPACE) + string(b"") + string(b"sha512")
                  + string(hashlib.sha512(text.encode()).digest()))
        tail = bytes([flags]) + (7).to_bytes(4, "big")
        head = hashlib.sha256(application.encode()).digest() + tail
        if kind == "sk":
            s = string(SK) + self.ecdsa(head + hashlib.sha256(signed).digest()) + tail
        else:
            c = {"type": "webauthn.get",
                 "challenge": base64.urlsafe_b64encode(challenge or signed).rstrip(b"=").decode(), "origin": origin}
            c.update(client or {})
            c = json.dumps(c, separators=(",", ":")).encode()
            s = (string(WEBAUTHN) + self.ecdsa(head + hashlib.sha256(c).digest()) + tail + string(origin.encode())
                 + string(c) + string(b""))
        blob = (b"SSHSIG" + (1).to_bytes(4, "big") + string(self.blob(application)) + string(NAMESPACE) + string(b"")
                + string(b"sha512") + string(s))
        b = base64.b64encode(blob).decode()
        lines = "\n".join(b[i:i + 70] for i in range(0, len(b), 70))
        return f"-----BEGIN SSH SIGNATURE-----\n{lines}\n-----END SSH SIGNATURE-----\n"
