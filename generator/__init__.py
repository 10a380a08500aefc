"""The injectors: made-up events of each game, sent to Kafka as the game would send them."""
