"""The MQTT 3.1.1 broker that needs no server installed: amqtt, with bounds and with rules that are handed in."""
