# Who is kept away, and who must not be.

resource "cloudflare_ruleset" "no_challenges" {
  zone_id = var.zone_id
  name    = "Waybill: no challenges on the API"
  kind    = "zone"
  phase   = "http_request_firewall_custom"

  rules = [
    {
      ref         = "waybill_api_not_challenged"
      description = "curl, the client library and EventSource cannot solve a challenge: they see an error page. Managed WAF rules stay."
      expression  = local.is_api
      action      = "skip"
      action_parameters = {
        products = ["bic", "hot", "securityLevel"]
        phases   = var.plan == "free" ? null : ["http_request_sbfm"] # Super Bot Fight Mode, which there is from pro on
      }
      logging = { enabled = true }
    },
  ]
}

# No rule can skip Bot Fight Mode, which is the free plan's: it is on or off for the whole zone.
resource "cloudflare_bot_management" "zone" {
  count = var.plan == "free" ? 1 : 0

  zone_id    = var.zone_id
  fight_mode = false
  enable_js  = false # it writes a script into pages, which their Content-Security-Policy refuses
}

# Against floods. Who may have how much is the gateways' to say, by key and not by address (docs/operations.md).
resource "cloudflare_ruleset" "rate_limits" {
  zone_id = var.zone_id
  name    = "Waybill: floods"
  kind    = "zone"
  phase   = "http_ratelimit"

  rules = slice(local.rate_limits, 0, var.plan == "free" ? 1 : 2)
}

locals {
  # Ten seconds are the period that every plan has. The free one has a single rule: the first.
  rate_limits = [
    {
      ref         = "waybill_creates"
      description = "Creates from one address. Streams are another path: reconnects are never counted."
      expression  = local.is_create
      action      = "block"
      ratelimit = {
        characteristics     = ["cf.colo.id", "ip.src"]
        period              = 10
        requests_per_period = var.creates_per_10_seconds
        mitigation_timeout  = 10
      }
    },
    {
      ref         = "waybill_calls"
      description = "Other calls from one address; neither streams, whose viewers come back all at once, nor ranges of archives."
      expression  = local.is_limited_call
      action      = "block"
      ratelimit = {
        characteristics     = ["cf.colo.id", "ip.src"]
        period              = 10
        requests_per_period = var.calls_per_10_seconds
        mitigation_timeout  = 10
      }
    },
  ]
}
