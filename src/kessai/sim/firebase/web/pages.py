"""Pages for people: what this is, the mails it would have sent, and where their links lead."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from kessai.kernel.clock import JST, from_ms
from kessai.sim.firebase.domain import SEED_PASSWORD, SEEDS, Mail, MailKind

ACTION_PATH: Final = "/__/auth/action"
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d9dfe6;
  --paper: #fff; --warn: #fff4d6; --warn-ink: #6b4e00; --blue: #1a56c4 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf1; --soft: #a4afbd; --line: #39424e;
  --paper: #171c23; --warn: #3a2f10; --warn-ink: #ffdf8e; --blue: #8db4ff } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.6;
  font-family: system-ui, "Hiragino Sans", "Noto Sans CJK JP", sans-serif }
main { max-width: 44rem; margin: 0 auto; padding: 1.5rem 1rem 3rem }
h1 { font-size: 1.5rem; margin: 0 0 .5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
.banner { background: var(--warn); color: var(--warn-ink); padding: .5rem 1rem; font-weight: 600 }
table { width: 100%; border-collapse: collapse }
th, td { text-align: left; padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; vertical-align: top }
th { color: var(--soft); font-weight: 600 } a { color: var(--blue) }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
label { display: block; margin: 1rem 0 .25rem }
input { font: inherit; width: 100%; max-width: 22rem; padding: .5rem; border-radius: .4rem;
  border: 1px solid var(--soft); background: var(--paper); color: var(--ink) }
button { font: inherit; margin-top: 1rem; padding: .6rem 1.2rem; border: 0; border-radius: .4rem;
  background: #1a56c4; color: #fff; cursor: pointer }
"""


def home_page(project: str) -> str:
    rows = "".join(
        f"<tr><td>{escape(seed.email)}</td><td>{escape(seed.display_name)}</td>"
        f"<td><code>{seed.local_id}</code></td></tr>"
        for seed in SEEDS
    )
    return _page(
        "Firebase Authentication simulator",
        f"""
<h1>Firebase Authentication simulator</h1>
<p>This stands in for Firebase on a machine without a network. It is not Firebase and not made by
Google. Its accounts, mails and switches are open to everyone who can reach this port.</p>
<p lang="ja">ネットワークなしで試すためのシミュレーターです。本物の Firebase ではありません。</p>
<h2>Accounts to try</h2>
<p>The password of each is <code>{SEED_PASSWORD}</code>.</p>
<table><thead><tr><th>E-mail</th><th>Name</th><th>uid</th></tr></thead><tbody>{rows}</tbody></table>
<h2>Look inside</h2>
<ul>
<li><a href="/sim/mails">Mails</a> that would have been sent: password resets, verifications</li>
<li><a href="/sim/accounts">Accounts</a> as JSON</li>
<li><a href="/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com">Public keys</a>
of the ID tokens (RS256)</li>
</ul>
<h2>Use it from your own page</h2>
<p>Project id <code>{escape(project)}</code>, any API key, and</p>
<p><code>connectAuthEmulator(auth, location.origin, {{ disableWarnings: true }})</code></p>
<p>with the origin of this page.</p>
""",
    )


def mails_page(mails: Sequence[Mail]) -> str:
    rows = "".join(_mail_row(mail) for mail in mails)
    table = (
        "<table><thead><tr><th>Sent (JST)</th><th>To</th><th>What</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
    body = table if mails else "<p>No mail has been sent yet.</p>"
    return _page("Mails", f'<h1>Mails</h1>{body}<p><a href="/">Back</a></p>')


def _mail_row(mail: Mail) -> str:
    sent_at = f"{from_ms(mail.sent_at_ms).astimezone(JST):%Y-%m-%d %H:%M:%S}"
    words = "Reset the password" if mail.kind is MailKind.PASSWORD_RESET else "Verify the address"
    what = f"{words} (used)" if mail.is_used else f'<a href="{escape(mail.link)}">{words}</a>'
    return f"<tr><td>{sent_at}</td><td>{escape(mail.email)}</td><td>{what}</td></tr>"


def reset_page(mail: Mail, problem: str = "") -> str:
    alert = f'<p role="alert" class="banner">{escape(problem)}</p>' if problem else ""
    return _page(
        "New password",
        f"""
<h1>New password</h1>
<p>for {escape(mail.email)}</p>{alert}
<form method="post" action="{ACTION_PATH}">
<input type="hidden" name="oobCode" value="{escape(mail.code)}">
<label for="password">New password, 6 characters or more</label>
<input id="password" name="newPassword" type="password" autocomplete="new-password"
 minlength="6" maxlength="4096" required>
<button>Save</button>
</form>
""",
    )


def verify_page(mail: Mail) -> str:
    return _page(
        "Verify the address",
        f"""
<h1>Verify the address</h1>
<p>{escape(mail.email)}</p>
<form method="post" action="{ACTION_PATH}">
<input type="hidden" name="oobCode" value="{escape(mail.code)}">
<button>Verify</button>
</form>
""",
    )


def note_page(title: str, words: str) -> str:
    return _page(title, f"<h1>{escape(title)}</h1><p>{escape(words)}</p>")


def _page(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} - simulator</title><style>{_STYLE}</style></head>
<body><div class="banner">Simulator <span lang="ja">シミュレーター</span></div>
<main>{body}</main></body></html>
"""
