"""login.microsoftonline.com: a client with the right secret gets a token."""

import base64
import json
import time
from urllib.parse import parse_qs

from support.azure_cloud.http import Reply, Request, Routes
from support.azure_cloud.state import CLIENT_SECRET, TENANT, State


def routes(state: State) -> Routes:
    found = Routes()

    @found.on("GET", "/{tenant}/v2.0/.well-known/openid-configuration")
    def configuration(_: Request, tenant: str) -> Reply:
        base = f"https://login.microsoftonline.com/{tenant}"
        return Reply(
            body={
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
            }
        )

    @found.on("GET", "/common/discovery/instance")
    def instances(_: Request) -> Reply:
        host = "login.microsoftonline.com"
        known = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        configuration = f"https://{host}/{TENANT}/v2.0/.well-known/openid-configuration"
        return Reply(body={"tenant_discovery_endpoint": configuration, "api-version": "1.1", "metadata": [known]})

    @found.on("POST", "/{tenant}/oauth2/v2.0/token")
    def token(request: Request, tenant: str) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("client_secret") != CLIENT_SECRET:
            message = "AADSTS7000215: Invalid client secret provided."
            return Reply(status=401, body={"error": "invalid_client", "error_description": message})
        audience = form["scope"].removesuffix("/.default")
        made = jwt(audience, state.token_s, state.number())
        state.tokens[made] = time.time() + state.token_s
        return Reply(body={"token_type": "Bearer", "expires_in": state.token_s, "access_token": made})

    return found


def jwt(audience: str, seconds: int, number: int) -> str:
    """Return an unsigned token, which the SDKs read but do not check."""
    claims = {"aud": audience, "exp": int(time.time()) + seconds, "tid": TENANT, "oid": "canary-token", "n": number}
    parts = [json.dumps({"alg": "none"}), json.dumps(claims), f"canary-signature-{number}"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
