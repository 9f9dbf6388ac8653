output "url" {
  description = "Where Waybill is."
  value       = "https://${var.hostname}"
}

output "tunnel_id" {
  description = "The tunnel that cloudflared runs; null where there is none. Its token: cloudflared tunnel token <id>."
  value       = one(cloudflare_zero_trust_tunnel_cloudflared.waybill[*].id)
}

output "public_endpoint" {
  description = "What stands behind public_endpoint= in WAYBILL_OBJECTS_URL, so that links are signed for that name; null where archives come by the hostname."
  value       = var.downloads == null ? null : "https://${var.downloads.hostname}"
}
