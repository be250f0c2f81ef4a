"""firebase-simulator: stands in for Firebase Authentication where there is no network.

Owns accounts, signing keys and the mails it would have sent. Emits and consumes nothing, calls
nobody. It speaks the paths that the Firebase JS SDK calls and signs real RS256 tokens; what a
stranger's service keeps secret (mails, account switches) is open here, so it never runs for real.
"""
