//! The plots of the demo's page, as SVG that stands inside it.

use anyhow::{Result, anyhow};
use plotters::prelude::{
    ChartBuilder, Circle, IntoDrawingArea as _, IntoFont as _, LineSeries, PathElement, RGBColor,
    SVGBackend, SeriesLabelPosition, WHITE,
};
use plotters::style::Color as _;

/// One line: its name and its points.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it shows.
    pub name: &'static str,
    /// (x, y).
    pub points: Vec<(i64, i64)>,
}

/// Width and height of a plot. Unit: pixels.
const SIZE: (u32, u32) = (860, 300);

/// Colours that are told apart in grey, too.
const COLOURS: [RGBColor; 3] =
    [RGBColor(20, 70, 140), RGBColor(215, 110, 20), RGBColor(90, 150, 70)];

/// Lines over one axis.
///
/// # Errors
///
/// What the plotting library says.
pub fn lines(axes: (&str, &str), lines: &[Line]) -> Result<String> {
    draw(axes, lines, false)
}

/// Points, and the line on which both numbers are equal.
///
/// # Errors
///
/// As [`lines`].
pub fn against(axes: (&str, &str), points: Line) -> Result<String> {
    let ends = [points.points.iter().min(), points.points.iter().max()];
    let ends = ends.into_iter().flatten().map(|(x, _)| (*x, *x)).collect();
    draw(axes, &[Line { name: "equal", points: ends }, points], true)
}

fn draw(axes: (&str, &str), lines: &[Line], dots: bool) -> Result<String> {
    let mut svg = String::new();
    let plotted = plot(&mut svg, axes, lines, dots);
    plotted.map_err(|error| anyhow!("plotting {}: {error}", axes.1))?;
    Ok(svg)
}

fn plot(
    svg: &mut String,
    (x_name, y_name): (&str, &str),
    lines: &[Line],
    dots: bool,
) -> Result<(), Box<dyn core::error::Error>> {
    let all = || lines.iter().flat_map(|line| &line.points);
    let range = |values: &dyn Fn(&(i64, i64)) -> i64| {
        let (least, most) = (all().map(values).min(), all().map(values).max());
        let (least, most) = (least.unwrap_or(0), most.unwrap_or(1));
        least.min(0)..most.saturating_add(most.saturating_sub(least) / 20).saturating_add(1)
    };
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(72)
        .build_cartesian_2d(range(&|point| point.0), range(&|point| point.1))?;
    chart
        .configure_mesh()
        .x_desc(x_name)
        .y_desc(y_name)
        .label_style(("sans-serif", 12).into_font())
        .light_line_style(WHITE)
        .draw()?;
    for (index, (line, colour)) in lines.iter().zip(COLOURS).enumerate() {
        if dots && index > 0 {
            let points = line.points.iter().map(|point| Circle::new(*point, 3, colour.filled()));
            chart.draw_series(points)?;
            continue;
        }
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), &colour))?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x.saturating_add(18), y)], colour));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 12).into_font())
        .draw()?;
    drop(chart);
    root.present()?;
    drop(root);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_is_an_svg_that_loads_nothing() {
        let line = |name, points| Line { name, points };
        let truth = line("true", vec![(0, 4_000), (1, 5_000), (2, 3_000)]);
        let released = line("released", vec![(0, -900), (1, 6_100), (2, 2_500)]);
        let svg = lines(("slot", "Wh"), &[truth, released]).expect("a plot");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{svg}");
        assert!(svg.contains("released") && svg.matches("<polyline").count() >= 2, "{svg}");
        assert!(!svg.contains("href") && !svg.contains("<script"), "{svg}");
    }
}
