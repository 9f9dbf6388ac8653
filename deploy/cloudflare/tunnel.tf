# The way in: cloudflared dials out from beside the gateways, and no port of theirs is open to the world.

resource "cloudflare_zero_trust_tunnel_cloudflared" "waybill" {
  count = var.gateway_url == null ? 0 : 1

  account_id = var.account_id
  name       = "waybill-${replace(var.hostname, ".", "-")}"
  # Its configuration is the one below. It has no tunnel_secret here: that would stand in the state. Cloudflare draws one,
  # and `cloudflared tunnel token` gives it to whoever may have it.
  config_src = "cloudflare"
}

resource "cloudflare_zero_trust_tunnel_cloudflared_config" "waybill" {
  count = var.gateway_url == null ? 0 : 1

  account_id = var.account_id
  tunnel_id  = cloudflare_zero_trust_tunnel_cloudflared.waybill[0].id

  config = {
    ingress = [
      {
        hostname = var.hostname
        service  = var.gateway_url
        origin_request = {
          # A gateway accepts at once or is not there. In seconds, as all times here.
          connect_timeout = 5
          # Less than the 75 s after which a gateway closes a silent connection; cloudflared's own 90 s are more, and a POST
          # that meets the closing is lost.
          keep_alive_timeout     = 60
          keep_alive_connections = 100
          tcp_keep_alive         = 30
          # By https the certificate is that of the name by which people come, as nginx has it.
          origin_server_name = startswith(var.gateway_url, "https:") ? var.hostname : null
          # Streams come in chunks.
          disable_chunked_encoding = false
        }
      },
      # The last one must take everything: other names that lead here are nobody's.
      { service = "http_status:404" },
    ]
  }
}

resource "cloudflare_dns_record" "hostname" {
  count = var.gateway_url == null ? 0 : 1

  zone_id = var.zone_id
  name    = var.hostname
  type    = "CNAME"
  content = "${cloudflare_zero_trust_tunnel_cloudflared.waybill[0].id}.cfargotunnel.com"
  proxied = true
  ttl     = 1 # of a proxied record Cloudflare decides; 1 is its word for that
  comment = "Waybill, through its tunnel"
}

# The object store, past Cloudflare: an archive of gigabytes needs no proxy between, and its signature is the store's.
resource "cloudflare_dns_record" "downloads" {
  count = var.downloads == null ? 0 : 1

  zone_id = var.zone_id
  name    = var.downloads.hostname
  type    = "CNAME"
  content = var.downloads.target
  proxied = false
  ttl     = 300
  comment = "Waybill's archives, straight from the object store"
}
