# How answers come through: not from a cache, not held back, not compressed where they are streams.

resource "cloudflare_ruleset" "cache" {
  zone_id = var.zone_id
  name    = "Waybill: what is cached"
  kind    = "zone"
  phase   = "http_request_cache_settings"

  rules = [
    {
      ref         = "waybill_api_not_cached"
      description = "The API's answers are for one caller. What may be cached is also buffered on its way into the cache."
      expression  = local.is_api
      action      = "set_cache_settings"
      action_parameters = {
        cache = false
        # Browsers keep what the gateway says, and no zone-wide Browser Cache TTL instead.
        browser_ttl = { mode = "respect_origin" }
      }
    },
  ]
}

resource "cloudflare_ruleset" "configuration" {
  zone_id = var.zone_id
  name    = "Waybill: what is done to answers"
  kind    = "zone"
  phase   = "http_config_settings"

  rules = [
    {
      ref         = "waybill_pages_left_alone"
      description = "The page's Content-Security-Policy allows its own scripts alone: what is written into it does not run."
      expression  = local.is_ours
      action      = "set_config"
      action_parameters = {
        automatic_https_rewrites = false
        disable_rum              = true
        disable_zaraz            = true
        email_obfuscation        = false
        rocket_loader            = false
      }
    },
    {
      ref         = "waybill_api_not_held_back"
      description = "Nothing looks into bodies before they go on, and nobody is asked to prove that they are human: programs cannot."
      expression  = local.is_api
      action      = "set_config"
      action_parameters = {
        bic                     = false
        response_body_buffering = "none"
        security_level          = "essentially_off"
      }
    },
  ]
}

resource "cloudflare_ruleset" "compression" {
  zone_id = var.zone_id
  name    = "Waybill: what is compressed"
  kind    = "zone"
  phase   = "http_response_compression"

  rules = [
    {
      ref         = "waybill_streams_and_archives_plain"
      description = "A compressor waits for more to compress; an archive that is compressed once more has no ranges."
      expression  = "${local.is_ours} and (${local.is_stream_path} or ${local.is_archive_path})"
      action      = "compress_response"
      action_parameters = {
        algorithms = [{ name = "none" }]
      }
    },
  ]
}

resource "cloudflare_ruleset" "request_headers" {
  zone_id = var.zone_id
  name    = "Waybill: headers of requests"
  kind    = "zone"
  phase   = "http_request_late_transform"

  rules = [
    {
      ref         = "waybill_no_forwarded"
      description = "Cloudflare passes it on as the client wrote it; where it contradicts X-Forwarded-For, gateways log nobody's address."
      expression  = local.is_ours
      action      = "rewrite"
      action_parameters = {
        headers = {
          "Forwarded" = { operation = "remove" }
        }
      }
    },
  ]
}

resource "cloudflare_ruleset" "response_headers" {
  zone_id = var.zone_id
  name    = "Waybill: headers of answers"
  kind    = "zone"
  phase   = "http_response_headers_transform"

  rules = [
    {
      ref         = "waybill_streams_for_proxies_behind"
      description = "For proxies on the viewer's side: nginx before the gateways takes X-Accel-Buffering away, having obeyed it."
      expression  = "${local.is_stream} and http.response.code eq 200"
      action      = "rewrite"
      action_parameters = {
        headers = {
          "Cache-Control"     = { operation = "set", value = "no-store, no-transform" }
          "X-Accel-Buffering" = { operation = "set", value = "no" }
        }
      }
    },
    {
      ref         = "waybill_security"
      description = "As gateways say them themselves. Here also for what is answered on the way to them."
      expression  = local.is_ours
      action      = "rewrite"
      action_parameters = {
        headers = {
          "Referrer-Policy"        = { operation = "set", value = "no-referrer" }
          "X-Content-Type-Options" = { operation = "set", value = "nosniff" }
        }
      }
    },
    {
      ref         = "waybill_hsts"
      enabled     = var.hsts_seconds > 0
      description = "Of this name alone: the zone's other names may speak plain HTTP. Over HTTP it must not be said (RFC 6797 §7.2)."
      expression  = "${local.is_ours} and ssl"
      action      = "rewrite"
      action_parameters = {
        headers = {
          "Strict-Transport-Security" = { operation = "set", value = "max-age=${var.hsts_seconds}" }
        }
      }
    },
  ]
}

resource "cloudflare_ruleset" "redirects" {
  zone_id = var.zone_id
  name    = "Waybill: HTTP leads to HTTPS"
  kind    = "zone"
  phase   = "http_request_dynamic_redirect"

  rules = [
    {
      ref         = "waybill_https"
      description = "308, where Always Use HTTPS answers 301, which turns a POST into a GET."
      expression  = "${local.is_ours} and not ssl"
      action      = "redirect"
      action_parameters = {
        from_value = {
          status_code           = 308
          preserve_query_string = true
          target_url            = { expression = "concat(\"https://\", http.host, http.request.uri.path)" }
        }
      }
    },
  ]
}

# The stream by WebSocket. Zone-wide, because Cloudflare has no rule for it; on is its default.
resource "cloudflare_zone_setting" "websockets" {
  zone_id    = var.zone_id
  setting_id = "websockets"
  value      = "on"
}
