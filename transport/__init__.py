"""What both sides need of Kafka: settings, topics, group, publishing."""
