"""Made-up tokens and keys, put together from parts: no line looks like one that was lost."""

import base64

from tests.content.samples import Samples, jwt, pem

MIXED = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2Yz3"
LONG = MIXED * 3


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


SECRETS: dict[str, Samples] = {
    "private_key": Samples(
        [
            *(
                pem(label + "PRIVATE KEY")
                for label in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ")
            ),
            pem("PGP PRIVATE KEY BLOCK"),
            pem("SSH2 ENCRYPTED PRIVATE KEY").replace("-----", " ---- ").strip(),
            "PuTTY-User-" + "Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nAAAA",
        ],
        [pem("PUBLIC KEY"), pem("CERTIFICATE"), pem("PGP PUBLIC KEY BLOCK"), "PuTTY-User-Key"],
    ),
    "jwt": Samples(
        [jwt('{"alg":"none"}'), jwt('{"typ":"JWT","alg":"RS256"}'), jwt('{"alg":"dir"}', 5)],
        [jwt('{"typ":"JWT"}'), "eyJhbGciOiJub25lIn0", "eyJhbGciOiJub25l.eyJzdWIi.c2ln"],
    ),
    "aws_key": Samples(
        ["AKIA" + "IOSFODNN7EXAMPLE", "ASIA" + "Q7" * 8],
        ["AKIA" + "Q7" * 7, "AKIA" + "Q1" * 8, "AKIB" + "Q7" * 8, "akia" + "q7" * 8],
    ),
    "aws_secret": Samples(
        [LONG[:40], "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"],
        ["da39a3ee5e6b4b0d3255" * 2, LONG[:39], LONG[:41], "abcdefghij" * 4],
    ),
    "github_token": Samples(
        [
            *(f"gh{kind}_{LONG[:36]}" for kind in "oprsu"),
            "github_" + "pat_" + MIXED[:22] + "_" + LONG[:59],
            "ghs_" + "123456_" + jwt('{"alg":"RS256"}') + "-_" + MIXED,
        ],
        ["ghp_" + LONG[:35], "ghx_" + LONG[:36], "xghp_" + LONG[:36], "github_pat_" + LONG[:36]],
    ),
    "gitlab_token": Samples(
        [
            *(
                f"gl{kind}-{MIXED[:20]}"
                for kind in ("pat", "dt", "rt", "ptt", "soat", "ffct", "agent")
            ),
            "gl" + "cbt-64_" + MIXED[:20],
            "gl" + "pat-" + MIXED[:27] + ".01.0a1b2c3d4",
        ],
        ["glpat-" + MIXED[:19], "glxyz-" + MIXED[:20], "xglpat-" + MIXED[:20]],
    ),
    "slack_token": Samples(
        [
            "xox" + "b-1234567890-1234567890-" + MIXED[:24],
            "xox" + "e.xoxp-1-" + MIXED,
            "xapp" + "-1-A01-1234567890-" + MIXED,
            "hooks.slack" + ".com/services/T01234567/B01234567/" + MIXED[:24],
        ],
        ["xox" + "b-not-a-token-at-all", "xoxz-1234567890-12345", "hooks.slack.com/services/"],
    ),
    "stripe_key": Samples(
        ["sk" + "_live_" + MIXED[:24], "rk" + "_test_" + MIXED[:24], "whsec_" + MIXED[:32] + "="],
        ["pk_" + "live_" + MIXED[:24], "sk_" + "live_" + MIXED[:15], "ask_" + "live_" + MIXED[:24]],
    ),
    "gcp_key": Samples(
        [
            "AI" + "za" + MIXED[:35],
            "GOC" + "SPX-" + MIXED[:28],
            "ya29" + "." + MIXED,
            "1//" + "0" + LONG[:45],
        ],
        [
            "AIza" + MIXED[:34],
            "AIza" + MIXED[:36],
            "GOCSPX-" + MIXED[:27],
            "ya29.short",
            "1//0" + MIXED,
        ],
    ),
    "azure_key": Samples(
        [
            "Account" + "Key=" + LONG[:86] + "==",
            "Shared" + "AccessKey=" + LONG[:43] + "=",
            LONG[:76] + "+ASt" + "AbCdE" + "Q==",
            LONG[:33] + "+AEh" + "AbCdE" + "Q=",
            LONG[:42] + "AzSe" + "AbCdEf",
            LONG[:52] + "JQQJ9" + "9BAC" + LONG[:23],
            LONG[:76] + "AZDO" + "AbCd",
            "s" + "ig=" + LONG[:20] + "%2F" + LONG[:22] + "%3D",
            "Ab1" + "8Q~" + MIXED[:34],
        ],
        [
            "AccountKey=" + LONG[:85] + "==",
            LONG[:86] + "==",
            LONG[:75] + "+ASt" + "AbCdE" + "Q==",
            "sig=" + MIXED[:30] + "%3D",
            "Ab18Q~" + MIXED[:30],
        ],
    ),
    "npm_token": Samples(
        ["npm" + "_" + MIXED[:36]], ["npm_" + MIXED[:35], "npm_" + MIXED[:37], "xnpm_" + MIXED[:36]]
    ),
    "pypi_token": Samples(
        [
            "py" + "pi-Ag" + "EIcHlwaS5vcmc" + LONG[:60],
            "py" + "pi-Ag" + "ENdGVzdC5weXBpLm9yZw" + LONG[:60],
        ],
        ["pypi-AgEIcHlwaS5vcmc" + LONG[:49], "pypi-BgEIcHlwaS5vcmc" + LONG[:60]],
    ),
    "basic_credentials": Samples(
        [
            basic("jane:Tr0ub4dor&3"),
            basic("é:ü"),
            basic("Aladdin:open sesame").lower()[:5] + basic("a:b")[5:],
        ],
        [
            basic("no colon here"),
            "Basic subscription",
            "Basic Authentication",
            basic("a:\0b"),
            "Basic",
        ],
    ),
    "bearer_token": Samples(
        ["Bearer " + MIXED, "bearer  " + MIXED[:16], "BEARER " + "mF_9.B5f-4.1JqM" + "AbCd=="],
        ["Bearer of good news", "Bearer " + MIXED[:15], "bearer authenticationrequired", "Bearer"],
    ),
}
