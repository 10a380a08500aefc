"""The injector: score events of a made-up game, sent to Kafka as the game would send them."""
