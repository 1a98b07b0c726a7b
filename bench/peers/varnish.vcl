# Varnish as it comes: it keeps what the origin allows, and asks once for what many want. bench/peers/services.py fills in the port.
vcl 4.1;

backend origin {
    .host = "127.0.0.1";
    .port = "ORIGIN_PORT";
}
